#include "sim/campaign.h"

#include <absl/strings/ascii.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "sim/apart.h"

namespace bt::sim {
namespace {

constexpr int kTickMs = 500;

// A process at work on what is left of a chunk.
struct Worker {
  ChunkResult result;
  uint64_t end;
  std::unique_ptr<Apart> process;
  bool told = false;  // by this process, of any seed

  uint64_t next() const { return result.seeds.first + result.seeds.count; }
};

void StartOn(const Scenario& scenario, Worker& worker, Runs runs) {
  const uint64_t first = worker.next();
  const uint64_t end = worker.end;
  worker.told = false;
  worker.process = std::make_unique<Apart>([&scenario, first, end, runs](const Apart::ReportTo& report) {
    for (uint64_t seed = first; seed < end; ++seed) report(RunChecked(scenario, seed, runs));
  });
}

// Reads what has come. False: somebody wants to stop. Without a process afterwards the chunk is done.
bool Serve(const Scenario& scenario, Worker& worker, const CampaignHooks& hooks, Runs runs) {
  const bool ended = !worker.process->Read();
  while (std::optional<Report> report = worker.process->Next()) {
    worker.told = true;
    worker.result.Add(*report);
    if (!hooks.seed(*report)) return false;
  }
  if (!ended) return true;
  std::optional<std::string> death = worker.process->Death();
  worker.process.reset();
  if (worker.next() == worker.end) return true;
  if (death.has_value() || !worker.told) {
    Report dead;
    dead.seed = worker.next();
    dead.failure = death.value_or("died: without a word");
    worker.result.Add(dead);
    if (!hooks.seed(dead)) return false;
  }
  if (worker.next() < worker.end) StartOn(scenario, worker, runs);
  return true;
}

}  // namespace

void ChunkResult::Add(const Report& report) {
  ++seeds.count;
  steps += report.steps;
  events += report.events;
  simulated_ms += static_cast<uint64_t>(report.end.ns) / 1'000'000 * 2;
  faults.Add(report.faults);
  figures.Add(report.figures);
  if (report.failure.has_value()) failures.push_back({report.seed, *report.failure});
}

void FailureGroups::Add(const SeedFailure& failure) {
  std::string name = GroupName(failure.sentence);
  const auto known = std::find_if(groups_.begin(), groups_.end(),
                                  [&](const FailureGroup& group) { return group.name == name; });
  if (known == groups_.end()) {
    groups_.push_back({std::move(name), failure, 1});
    return;
  }
  ++known->count;
  if (failure.seed < known->first.seed) known->first = failure;
}

std::string GroupName(const std::string& sentence) {
  std::string name;
  for (size_t i = 0; i < sentence.size() && sentence[i] != ';';) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(sentence[i]))) {
      name += sentence[i++];
      continue;
    }
    // A word: letters and digits, and the dashes between them.
    size_t end = i;
    while (end < sentence.size() && (absl::ascii_isalnum(static_cast<unsigned char>(sentence[end])) ||
                                     (sentence[end] == '-' && end + 1 < sentence.size() &&
                                      absl::ascii_isalnum(static_cast<unsigned char>(sentence[end + 1]))))) {
      ++end;
    }
    const std::string word = sentence.substr(i, end - i);
    i = end;
    const bool number = absl::ascii_isdigit(static_cast<unsigned char>(word.back()));
    if (!number) {
      name += word;
    } else {
      name += word.find('-') != std::string::npos ? "NODE" : "N";
    }
  }
  return name;
}

std::vector<SeedRange> ChunksLeft(SeedRange seeds, const std::vector<SeedRange>& done, uint64_t chunk_max) {
  std::vector<SeedRange> sorted = done;
  std::sort(sorted.begin(), sorted.end(),
            [](const SeedRange& a, const SeedRange& b) { return a.first < b.first; });
  const uint64_t end = seeds.first + seeds.count;
  sorted.push_back({end, 0});
  std::vector<SeedRange> chunks;
  uint64_t at = seeds.first;
  for (const SeedRange& range : sorted) {
    while (at < std::min(range.first, end)) {
      const uint64_t count = std::min({chunk_max, range.first - at, end - at});
      chunks.push_back({at, count});
      at += count;
    }
    at = std::max(at, range.first + range.count);
  }
  return chunks;
}

void RunCampaign(const Scenario& scenario, const std::vector<SeedRange>& chunks, uint32_t jobs,
                 const CampaignHooks& hooks, Runs runs) {
  std::vector<Worker> workers;
  auto next = chunks.begin();
  bool stopped = false;
  while (!stopped && (next != chunks.end() || !workers.empty())) {
    for (; next != chunks.end() && workers.size() < jobs; ++next) {
      Worker worker;
      worker.result.seeds.first = next->first;
      worker.end = next->first + next->count;
      StartOn(scenario, worker, runs);
      workers.push_back(std::move(worker));
    }
    std::vector<pollfd> waiting;
    for (const Worker& worker : workers) waiting.push_back({worker.process->descriptor(), POLLIN, 0});
    poll(waiting.data(), waiting.size(), kTickMs);
    for (size_t i = 0; i < workers.size() && !stopped; ++i) {
      if (waiting[i].revents != 0) stopped = !Serve(scenario, workers[i], hooks, runs);
    }
    const auto done = [](const Worker& worker) { return worker.process == nullptr; };
    for (const Worker& worker : workers) {
      if (done(worker)) hooks.chunk(worker.result);
    }
    std::erase_if(workers, done);
    hooks.tick();
  }
  for (const Worker& worker : workers) {
    if (worker.result.seeds.count > 0) hooks.chunk(worker.result);
  }
}

}  // namespace bt::sim
