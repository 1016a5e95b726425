#include <absl/status/statusor.h>

#include <string>

#include "sim/journal_disk.h"
#include "sim/plan.h"
#include "sim/scenarios/scenarios.h"

namespace bt::sim {
namespace {

constexpr int kLives = 60;

// What the writes of one run look like. All bodies differ. They have few lengths, so that a new record fits
// exactly where a lost one stood: if the bytes behind it had not been cut, the old records would go on from
// it.
struct Workload {
  explicit Workload(RandomStream& rng)
      : lengths(rng.Between(1, 3)),
        length(uint64_t{1} << rng.Between(4, 10)),
        forget_percent(rng.Chance(1, 2) ? rng.Between(1, 40) : 0) {}

  Slice Body(RandomStream& rng) {
    std::string body = std::to_string(++bodies);
    body.resize(length + rng.Below(lengths), '.');
    return Slice::Own(std::move(body));
  }

  uint64_t lengths;
  uint64_t length;
  uint64_t forget_percent;  // after each sync: that a snapshot would have made older records needless
  uint64_t bodies = 0;
};

// Queues and syncs as a node would, until the crash: before a commit, or during one of its syncs. One whose
// journal has failed ends by itself.
WriteSeq Live(World& world, RandomStream& rng, JournalDisk& journal, Workload& workload, WriteSeq last) {
  for (uint64_t syncs = rng.Below(8);; --syncs) {
    for (uint64_t records = rng.Below(6); records > 0; --records) {
      ++last;
      journal.Queue({last, 1, workload.Body(rng)});
    }
    const bool writing = journal.pending();
    if (writing) world.RunFor(journal.BeginSync());
    if (syncs == 0 && journal.failure().ok()) {
      world.Count(writing ? Fault::kCrashWhileWriting : Fault::kCrash);
      journal.Crash();
      return last;
    }
    if (writing) journal.FinishSync();
    if (rng.Chance(workload.forget_percent, 100)) {
      journal.Forget(WriteSeq(rng.Between(1, journal.durable().next().value())));
    }
    if (!journal.failure().ok()) {
      world.Trace({.who = "journal", .node = 0},
                  [&] { return "fails: " + std::string(journal.failure().message()); });
      journal.CrashProcess();
      return last;
    }
  }
}

void Run(World& world) {
  RandomStream rng = world.Stream("journal_faults");
  const FaultPlan plan = DrawPlan(rng);
  JournalDisk journal(world, 0, {.cluster = 1, .node = NodeId(1)}, plan.disk);
  Workload workload(rng);
  for (uint64_t life = 1; life <= kLives; ++life) {
    const absl::StatusOr<wal::JournalRecovery> recovery = journal.Recover();
    if (world.failed()) return;
    if (!recovery.ok()) {
      world.Trace({.who = "journal", .node = 0},
                  [&] { return "is refused: " + std::string(recovery.status().message()); });
      if (journal.damaged()) return;
      continue;
    }
    world.Trace({.who = "journal", .node = 0}, [&] {
      return "life " + std::to_string(life) + " begins behind record " +
             std::to_string(recovery->last.value());
    });
    const WriteSeq last = Live(world, rng, journal, workload, recovery->last);
    world.Observe(0, recovery->last.value(), last.value());
    if (plan.damage > 0 && rng.Chance(1, kLives)) journal.Damage();
  }
}

}  // namespace

const Scenario kJournalFaults = {
    "journal_faults", "one journal through many short lives, each ended by a crash at any of its steps", Run,
    "//tools:simrun"};

}  // namespace bt::sim
