#include "tools/simrun/explore.h"

#include <absl/strings/str_join.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "sim/explore/paxos_subject.h"
#include "sim/explore/search.h"
#include "sim/explore/system.h"

namespace bt::sim {
namespace {

using explore::Choice;
using explore::PaxosSubject;
using explore::Search;
using explore::SearchOptions;
using explore::SearchResult;
using Replicas = explore::System<PaxosSubject>;
using Clock = std::chrono::steady_clock;

constexpr const char* kAbout = "Walks every order of events of a few replicas, in a small scope";

struct Arguments {
  explore::PaxosScope paxos;
  explore::Scope scope{.crashes = 1};
  uint64_t states_max = 1'000'000;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void PrintPath(const std::vector<std::string>& lines) {
  size_t number = 0;
  for (const std::string& line : lines) {
    ++number;
    std::printf("%4zu. %s\n", number, line.c_str());
  }
}

// For a step in which a CHECK fails: the process ends there, and the choices that led to it are told first.
Search* g_search = nullptr;
Replicas* g_replicas = nullptr;

[[noreturn]] void DieWithThePath(int) {
  signal(SIGABRT, SIG_DFL);
  const std::vector<Choice> path = g_search->UnderWay();
  std::printf("violation after %zu choices: the CHECK that is told above fails in the last step\n",
              path.size());
  PrintPath(g_replicas->Tell(path, /*taken=*/false));
  std::fflush(stdout);
  _exit(1);
}

void PrintScope(const Arguments& arguments) {
  const explore::PaxosScope& paxos = arguments.paxos;
  const explore::Scope& scope = arguments.scope;
  const std::string candidates =
      paxos.candidates.empty() ? "" : " (of " + absl::StrJoin(paxos.candidates, ", then ") + ")";
  std::printf(
      "scope: %u replicas, %u election time-outs%s, %u commands, %u reads, %u catch-up time-outs, %u beats; "
      "%u crashes, %u losses, %u duplicates, %u overtakings\n"
      "disks: %s; pre-votes: %s; heartbeats: %s\n",
      scope.nodes, paxos.ballots, candidates.c_str(), paxos.commands, paxos.reads, paxos.catch_ups,
      paxos.beats, scope.crashes, scope.losses, scope.duplicates, scope.overtakes,
      scope.disk_at_once ? "done at once" : "done in any order of events",
      paxos.pre_votes_at_once ? "answered at once" : "messages like others",
      paxos.heartbeats ? "messages like others" : "lost, all of them");
  std::fflush(stdout);
}

int PrintResult(const SearchResult& result, Replicas& replicas, double seconds) {
  std::printf(
      "%llu choices taken, %llu of them to a state that was known (pruned); up to %u choices deep; %.1f s\n"
      "in them: %zu states of single replicas, %zu steps of replicas, %zu contents of links, %zu states of "
      "the specification\n",
      static_cast<unsigned long long>(result.choices), static_cast<unsigned long long>(result.met_again),
      result.depth, seconds, replicas.lives(), replicas.steps(), replicas.contents(), replicas.judges());
  const auto states = static_cast<unsigned long long>(result.states);
  if (result.found) {
    std::printf("violation after %zu choices, %llu states: %s\n", result.found->path.size(), states,
                result.found->what.c_str());
    PrintPath(replicas.Tell(result.found->path, /*taken=*/true));
    return 1;
  }
  std::printf(
      "%llu states, 0 violations, %s\n", states,
      result.exhausted ? "frontier exhausted" : "frontier not exhausted: --states-max has ended the walk");
  return 0;
}

int Explore(const Arguments& arguments) {
  PrintScope(arguments);
  const auto replicas = std::make_unique<Replicas>(PaxosSubject(arguments.paxos), arguments.scope);
  const Clock::time_point start = Clock::now();
  SearchOptions options{.states_max = arguments.states_max};
  options.progress = [&](uint64_t states, uint32_t depth) {
    std::printf("  %llu states, %u choices deep, %.2f million states/s\n",
                static_cast<unsigned long long>(states), depth,
                static_cast<double>(states) / 1e6 / SecondsSince(start));
    std::fflush(stdout);
  };
  Search search(*replicas, options);
  g_search = &search;
  g_replicas = replicas.get();
  signal(SIGABRT, DieWithThePath);
  const SearchResult result = search.Run();
  signal(SIGABRT, SIG_DFL);
  return PrintResult(result, *replicas, SecondsSince(start));
}

void AddOptions(CLI::App& command, Arguments& arguments) {
  const auto count = [&](const char* flag, uint32_t& place, const char* about) {
    command.add_option(flag, place, about)->check(CLI::Range(0u, explore::kBudgetMax))->capture_default_str();
  };
  command.add_option("--replicas", arguments.scope.nodes, "how many")
      ->check(CLI::Range(1u, explore::kNodesMax))
      ->capture_default_str();
  count("--ballots", arguments.paxos.ballots, "election time-outs, in all");
  command
      .add_option("--candidates", arguments.paxos.candidates,
                  "which replicas' time-outs those are, in order: 1,2,3; not given: anybody's")
      ->delimiter(',')
      ->expected(1, explore::kBudgetMax)
      ->check(CLI::Range(1u, explore::kNodesMax));
  count("--commands", arguments.paxos.commands, "put into the log by whoever leads");
  count("--reads", arguments.paxos.reads, "asked of whoever leads; they need --heartbeats");
  count("--catch-ups", arguments.paxos.catch_ups, "time-outs of catch-up");
  count("--beats", arguments.paxos.beats, "time-outs of heartbeats");
  count("--crashes", arguments.scope.crashes, "a node loses what is not durable, and begins again");
  count("--losses", arguments.scope.losses, "messages that are lost");
  count("--duplicates", arguments.scope.duplicates, "messages that come twice");
  count("--overtakes", arguments.scope.overtakes, "messages that overtake the one before them");
  command.add_flag("--disk-at-once", arguments.scope.disk_at_once, "a write is durable in its own step");
  command.add_flag("--pre-votes-at-once", arguments.paxos.pre_votes_at_once,
                   "pre-votes are answered in the step that asks for them");
  command.add_flag("--heartbeats", arguments.paxos.heartbeats, "heartbeats are not lost");
  command.add_option("--states-max", arguments.states_max, "stop after so many states")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}))
      ->capture_default_str();
}

int RunExplore(int argc, char** argv) {
  Arguments arguments;
  CLI::App command(kAbout, "simrun explore");
  AddOptions(command, arguments);
  try {
    command.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return command.exit(error);
    std::fprintf(stderr, "simrun: %s (see simrun explore --help)\n", error.what());
    return 2;
  }
  arguments.paxos.replicas = arguments.scope.nodes;
  if (const size_t candidates = arguments.paxos.candidates.size(); candidates > 0) {
    arguments.paxos.ballots = static_cast<uint32_t>(candidates);
  }
  return Explore(arguments);
}

}  // namespace

SimrunCommand ExploreCommand() { return {.name = "explore", .about = kAbout, .run = RunExplore}; }

}  // namespace bt::sim
