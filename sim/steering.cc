#include "sim/steering.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "sim/apart.h"

namespace bt::sim {
namespace {

constexpr int kTickMs = 500;
constexpr size_t kBatch = 16;     // recipes for one process
constexpr uint64_t kNear = 4096;  // events from what was new

struct Worker {
  std::vector<Recipe> batch;
  size_t done = 0;
  std::unique_ptr<Apart> process;
};

WorldOptions OptionsOf(const Recipe& recipe) {
  WorldOptions options;
  options.redraws = recipe.redraws;
  options.watch_kinds = true;
  return options;
}

void Begin(const Scenario& scenario, Worker& worker) {
  worker.process = std::make_unique<Apart>(
      [&scenario, batch = std::vector(worker.batch.begin() + static_cast<std::ptrdiff_t>(worker.done),
                                      worker.batch.end())](const Apart::ReportTo& report) {
        for (const Recipe& recipe : batch) report(RunOnce(scenario, recipe.seed, OptionsOf(recipe)));
      });
}

// Reads what has come. False: somebody wants to stop. Without a process afterwards the batch is done.
bool Serve(const Scenario& scenario, Worker& worker, Steering& steering, const SteeredHooks& hooks) {
  const bool ended = !worker.process->Read();
  const auto take = [&](const Report& report) {
    const Recipe& recipe = worker.batch[worker.done++];
    steering.Learn(recipe, report.reached);
    return hooks.run(recipe, report);
  };
  while (const std::optional<Report> report = worker.process->Next()) {
    if (!take(*report)) return false;
  }
  if (!ended) return true;
  const std::optional<std::string> death = worker.process->Death();
  worker.process.reset();
  if (death.has_value() && worker.done < worker.batch.size()) {
    Report dead;
    dead.seed = worker.batch[worker.done].seed;
    dead.failure = death;
    if (!take(dead)) return false;
  }
  if (worker.done < worker.batch.size()) Begin(scenario, worker);
  return true;
}

}  // namespace

Recipe Steering::Next() {
  std::vector<size_t> open;
  for (size_t i = 0; i < kept_.size(); ++i) {
    if (kept_[i].tries > 0) open.push_back(i);
  }
  if (open.empty() || !rng_.Chance(branches_percent_, 100)) return {next_seed_++, {}};
  // The later of two: what was new last is furthest from what any seed reaches.
  Kept& from = kept_[open[std::max(rng_.Below(open.size()), rng_.Below(open.size()))]];
  --from.tries;
  Recipe recipe = from.recipe;
  // Half of the time right behind it, a quarter within 16 events, and so on.
  const uint64_t place = from.places[rng_.Below(from.places.size())];
  uint64_t within = 1;
  while (within < kNear && rng_.Chance(1, 2)) within *= 16;
  const uint64_t offset = rng_.Below(within);
  const uint64_t after = rng_.Chance(1, 4) ? place - std::min(place, offset) : place + offset;
  const Redraw redraw{.after = after, .future = 1 + rng_.Below(uint64_t{1} << 32)};
  // What lay behind the new parting belongs to a future that is not taken.
  while (!recipe.redraws.empty() && recipe.redraws.back().after >= redraw.after) recipe.redraws.pop_back();
  recipe.redraws.push_back(redraw);
  return recipe;
}

bool Steering::Learn(const Recipe& recipe, const ReachedKinds& reached) {
  bool fresh = false;
  for (const StepKind& kind : reached.kinds) {
    uint64_t& count = kinds_[kind.name];
    fresh |= count == 0;
    count += kind.count;
  }
  std::vector<uint64_t> places;
  for (const StepPair& pair : reached.pairs) {
    if (pairs_.insert(pair.pair).second && places.size() < kPlacesMax) places.push_back(pair.event);
  }
  fresh |= !places.empty();
  if (places.empty() || recipe.redraws.size() >= kRedrawsMax) return fresh;
  if (kept_.size() == kRecipesMax) kept_.erase(kept_.begin());
  kept_.push_back({recipe, std::move(places), kTries});
  return true;
}

void RunSteered(const Scenario& scenario, uint64_t runs, uint32_t jobs, Steering& steering,
                const SteeredHooks& hooks) {
  std::vector<Worker> workers;
  while (runs > 0 || !workers.empty()) {
    while (runs > 0 && workers.size() < jobs) {
      Worker worker;
      for (; runs > 0 && worker.batch.size() < kBatch; --runs) worker.batch.push_back(steering.Next());
      Begin(scenario, worker);
      workers.push_back(std::move(worker));
    }
    std::vector<pollfd> waiting;
    for (const Worker& worker : workers) waiting.push_back({worker.process->descriptor(), POLLIN, 0});
    poll(waiting.data(), waiting.size(), kTickMs);
    for (size_t i = 0; i < workers.size(); ++i) {
      if (waiting[i].revents != 0 && !Serve(scenario, workers[i], steering, hooks)) return;
    }
    std::erase_if(workers, [](const Worker& worker) { return worker.process == nullptr; });
    hooks.tick();
  }
}

}  // namespace bt::sim
