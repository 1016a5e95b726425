#include "tools/simrun/sweep.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "sim/apart.h"

namespace bt::sim {
namespace {

using nlohmann::json;

constexpr uint64_t kChunkMax = 100;
constexpr double kProgressEvery = 2;  // seconds

json ToJson(const std::string& scenario, const ChunkResult& chunk) {
  json faults = json::object();
  for (size_t i = 0; i < kFaultCount; ++i) {
    const Fault fault = static_cast<Fault>(i);
    if (chunk.faults.count(fault) > 0) faults[FaultName(fault)] = chunk.faults.count(fault);
  }
  json figures = json::array();
  for (const Figure& figure : chunk.figures.all()) {
    figures.push_back(
        {{"name", figure.name}, {"count", figure.count}, {"sum", figure.sum}, {"most", figure.most}});
  }
  json failures = json::array();
  for (const SeedFailure& failure : chunk.failures) {
    failures.push_back({{"seed", failure.seed}, {"sentence", failure.sentence}});
  }
  return {
      {"scenario", scenario},        {"first", chunk.seeds.first},    {"seeds", chunk.seeds.count},
      {"steps", chunk.steps},        {"events", chunk.events},        {"simulated_ms", chunk.simulated_ms},
      {"faults", std::move(faults)}, {"figures", std::move(figures)}, {"failures", std::move(failures)}};
}

// Throws json's exception for what is missing or of another type.
ChunkResult FromJson(const json& line) {
  ChunkResult chunk;
  chunk.seeds = {line.at("first").get<uint64_t>(), line.at("seeds").get<uint64_t>()};
  chunk.steps = line.at("steps").get<uint64_t>();
  chunk.events = line.at("events").get<uint64_t>();
  chunk.simulated_ms = line.at("simulated_ms").get<uint64_t>();
  for (size_t i = 0; i < kFaultCount; ++i) {
    const Fault fault = static_cast<Fault>(i);
    chunk.faults.Add(fault, line.at("faults").value(FaultName(fault), uint64_t{0}));
  }
  for (const json& figure : line.value("figures", json::array())) {
    chunk.figures.Add(Figure{figure.at("name").get<std::string>(), figure.at("count").get<uint64_t>(),
                             figure.at("sum").get<uint64_t>(), figure.at("most").get<uint64_t>()});
  }
  for (const json& failure : line.at("failures")) {
    chunk.failures.push_back({failure.at("seed").get<uint64_t>(), failure.at("sentence").get<std::string>()});
  }
  return chunk;
}

std::string GroupsText(const FailureGroups& groups, uint64_t seeds) {
  std::string text;
  for (const FailureGroup& group : groups.groups()) {
    absl::StrAppend(&text, group.count, " of ", seeds, ": ", group.name, ", first seed ", group.first.seed,
                    "\n");
  }
  return text;
}

class Sweeper {
 public:
  Sweeper(const Scenario& scenario, const SweepArguments& arguments)
      : scenario_(scenario), arguments_(arguments) {}

  int Run() {
    const std::vector<SeedRange> chunks = ChunksLeft(arguments_.seeds, arguments_.done, ChunkSize());
    for (const SeedRange& chunk : chunks) left_ += chunk.count;
    std::printf("%s: %llu seeds from %llu, %u job%s%s\n", scenario_.name, Wide(arguments_.seeds.count),
                Wide(arguments_.seeds.first), arguments_.jobs, arguments_.jobs == 1 ? "" : "s",
                left_ == arguments_.seeds.count
                    ? ""
                    : absl::StrCat(", ", arguments_.seeds.count - left_, " are done already").c_str());
    std::fflush(stdout);
    if (!OpenJson()) return 2;
    RunCampaign(scenario_, chunks, arguments_.jobs,
                {.seed = [this](const Report& report) { return Seed(report); },
                 .chunk = [this](const ChunkResult& chunk) { Chunk(chunk); },
                 .tick = [this] { Progress(); }},
                arguments_.runs);
    Summary();
    return groups_.groups().empty() ? 0 : 1;
  }

 private:
  static unsigned long long Wide(uint64_t value) { return value; }

  // Every process gets several, and none waits long for the last one.
  uint64_t ChunkSize() const {
    return std::clamp<uint64_t>(arguments_.seeds.count / (uint64_t{arguments_.jobs} * 4), 1, kChunkMax);
  }

  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  bool OpenJson() {
    if (arguments_.json.empty()) return true;
    json_.open(arguments_.json, std::ios::app);
    if (arguments_.done.empty() && json_.tellp() == 0) {
      json_ << json{{"scenario", scenario_.name},
                    {"sweep_first", arguments_.seeds.first},
                    {"sweep_seeds", arguments_.seeds.count}}
            << std::endl;
    }
    if (json_) return true;
    std::fprintf(stderr, "simrun: cannot write %s\n", arguments_.json.c_str());
    return false;
  }

  bool Seed(const Report& report) {
    total_.Add(report);
    if (!report.failure.has_value()) return true;
    const size_t before = groups_.groups().size();
    groups_.Add(total_.failures.back());
    if (groups_.groups().size() == before) return true;
    std::printf("  seed %llu: %s\n", Wide(report.seed), report.failure->c_str());
    std::fflush(stdout);
    return groups_.groups().size() < arguments_.failures_max;
  }

  void Chunk(const ChunkResult& chunk) {
    if (json_.is_open()) json_ << ToJson(scenario_.name, chunk) << std::endl;
  }

  void Progress() {
    if (Seconds() - shown_ < kProgressEvery || total_.seeds.count == 0) return;
    shown_ = Seconds();
    const double done = static_cast<double>(total_.seeds.count);
    std::printf("  %llu of %llu seeds, %.0f s, %.0f seeds/s, %.0f events/s, %.0f s to go, %zu failed\n",
                Wide(total_.seeds.count), Wide(left_), shown_, done / shown_,
                static_cast<double>(total_.events) / shown_,
                static_cast<double>(left_ - total_.seeds.count) * shown_ / done, total_.failures.size());
    std::fflush(stdout);
  }

  void Summary() const {
    const double seconds = Seconds();
    const double events = static_cast<double>(total_.events) / seconds;
    std::printf(
        "%llu seeds, each run %s, in %.1f s: %.0f events/s per job, %.0f events/s and %.0f steps/s in all, "
        "%.0f times real time\nfaults: %s\n%s",
        Wide(total_.seeds.count), arguments_.runs == Runs::kOnce ? "once" : "twice", seconds,
        events / arguments_.jobs, events, static_cast<double>(total_.steps) / seconds,
        static_cast<double>(total_.simulated_ms) / 1000 / seconds, total_.faults.ToString().c_str(),
        total_.figures.ToString().c_str());
    for (const FailureGroup& group : groups_.groups()) {
      WorldOptions options;
      options.recorder.trace = true;
      Report report = RunApart(scenario_, group.first.seed, options);
      // Two runs that differ have no sentence of their own.
      if (!report.failure.has_value()) report.failure = group.first.sentence;
      std::printf("\n%s", FailureText(scenario_, report).c_str());
    }
    if (!groups_.groups().empty()) std::printf("\n%s", GroupsText(groups_, total_.seeds.count).c_str());
    std::fflush(stdout);
  }

  const Scenario& scenario_;
  const SweepArguments& arguments_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::ofstream json_;
  uint64_t left_ = 0;
  ChunkResult total_;
  FailureGroups groups_;
  double shown_ = 0;
};

}  // namespace

int Sweep(const Scenario& scenario, const SweepArguments& arguments) {
  return Sweeper(scenario, arguments).Run();
}

absl::StatusOr<SweepFile> ReadSweepFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) return absl::NotFoundError("cannot read " + path);
  SweepFile file;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    try {
      const json parsed = json::parse(line);
      const std::string scenario = parsed.at("scenario").get<std::string>();
      if (file.scenario.empty()) file.scenario = scenario;
      if (scenario != file.scenario) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ", line ", number, ": another scenario: ", scenario));
      }
      if (!parsed.contains("sweep_first")) {
        file.chunks.push_back(FromJson(parsed));
      } else if (file.asked.count == 0) {
        file.asked = {parsed.at("sweep_first").get<uint64_t>(), parsed.at("sweep_seeds").get<uint64_t>()};
      }
    } catch (const json::exception& error) {
      return absl::InvalidArgumentError(absl::StrCat(path, ", line ", number, " is damaged: ", error.what()));
    }
  }
  if (file.asked.count == 0) return absl::InvalidArgumentError(path + " is no file of a sweep");
  return file;
}

std::string MergeText(const std::vector<SweepFile>& files) {
  std::map<std::string, std::pair<ChunkResult, FailureGroups>> by_scenario;
  for (const SweepFile& file : files) {
    auto& [total, groups] = by_scenario[file.scenario];
    for (const ChunkResult& chunk : file.chunks) {
      total.seeds.count += chunk.seeds.count;
      total.steps += chunk.steps;
      total.events += chunk.events;
      total.simulated_ms += chunk.simulated_ms;
      total.faults.Add(chunk.faults);
      total.figures.Add(chunk.figures);
      for (const SeedFailure& failure : chunk.failures) groups.Add(failure);
      total.failures.insert(total.failures.end(), chunk.failures.begin(), chunk.failures.end());
    }
  }
  std::string text;
  for (const auto& [scenario, result] : by_scenario) {
    const auto& [total, groups] = result;
    absl::StrAppend(&text, scenario, ": ", total.seeds.count, " seeds, ", total.failures.size(), " failed; ",
                    total.events, " events\nfaults: ", total.faults.ToString(), "\n",
                    total.figures.ToString(), GroupsText(groups, total.seeds.count));
  }
  return text;
}

}  // namespace bt::sim
