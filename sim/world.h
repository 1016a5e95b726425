#pragma once

// World: one simulated run. An event heap ordered by (time, sequence), the clock it drives, the seed's
// random streams, the rolling digest of everything that happens, the trace, the fault counters, and the
// first failure a judge reports. A run is a pure function of (binary, seed): nothing here, and nothing
// that runs in it, may look at the real world.

#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/rng.h"
#include "core/base/time.h"
#include "sim/faults.h"
#include "sim/hash_memo.h"

namespace bt::sim {

// Something that can be scheduled. `argument` is the sink's own. A sink outlives the run it is part of.
class EventSink {
 public:
  virtual void Fire(uint64_t argument) = 0;

 protected:
  ~EventSink() = default;
};

struct WorldOptions {
  bool trace = false;               // keep the last kTraceRing lines
  std::FILE* trace_file = nullptr;  // and write those between `from` and `to` here
  Instant from{0};
  Instant to = Instant::Never();
  // Which judges count, by the word before the colon of their sentences: "agreement" alone, or, with a minus,
  // "-agreement", all but that one. So it is seen what a judge finds alone, and what only it finds. Empty:
  // all.
  std::string judge;
  // For naming the first divergent step: one run records its digest after every step, another compares.
  std::vector<uint64_t>* record = nullptr;
  const std::vector<uint64_t>* expect = nullptr;
};

class World {
 public:
  static constexpr size_t kTraceRing = 60;
  static constexpr uint64_t kEventLimit = 200'000'000;  // a run that needs more is a livelock

  explicit World(uint64_t seed, WorldOptions options = {});
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  uint64_t seed() const { return seed_; }
  Instant now() const { return now_; }
  // The same stream for the same arguments, whatever was drawn from others.
  Rng Stream(std::string_view purpose, uint64_t index = 0) const { return root_.Fork(purpose, index); }

  void Schedule(Instant when, EventSink* sink, uint64_t argument);
  void After(Duration delay, EventSink* sink, uint64_t argument) { Schedule(now_ + delay, sink, argument); }
  // Runs events up to and including `end`, or to the first failure; then now() == end.
  void RunUntil(Instant end);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }

  // One step of a node: what it was and the hash of what it saw and did.
  void Observe(uint64_t node, uint64_t what, uint64_t hash);
  // More of the same step (a state digest, a byte count).
  void Mix(uint64_t value) { digest_.Add(value); }
  uint64_t digest() const { return digest_.value(); }
  uint64_t steps() const { return steps_; }
  uint64_t events() const { return events_; }

  // `text` is a function that makes the line; it is called only when somebody looks.
  template <class F>
  void Trace(std::string_view who, F&& text) {
    if (tracing_) [[unlikely]] {
      AddTrace(who, text());
    }
  }
  bool tracing() const { return tracing_; }
  const std::deque<std::string>& trace() const { return ring_; }

  HashMemo& hashes() { return hashes_; }

  void Count(Fault fault) { faults_.Add(fault); }
  const FaultCounts& faults() const { return faults_; }

  // The first sentence wins and stops the run.
  void Fail(std::string sentence);
  bool failed() const { return failure_.has_value(); }
  const std::optional<std::string>& failure() const { return failure_; }

 private:
  struct Event {
    int64_t time;
    uint64_t sequence;
    EventSink* sink;
    uint64_t argument;
  };
  static bool Before(const Event& a, const Event& b) {
    return a.time != b.time ? a.time < b.time : a.sequence < b.sequence;
  }
  void Push(const Event& event);
  Event Pop();
  void AddTrace(std::string_view who, std::string text);
  bool Counts(std::string_view sentence) const;

  uint64_t seed_;
  Rng root_;
  WorldOptions options_;
  bool tracing_;
  Instant now_{0};
  uint64_t sequence_ = 0;
  std::vector<Event> heap_;  // 4-ary
  RollingDigest digest_;
  uint64_t steps_ = 0;
  uint64_t events_ = 0;
  std::deque<std::string> ring_;
  FaultCounts faults_;
  HashMemo hashes_;
  std::optional<std::string> failure_;
};

// "12.345678s"
std::string TimeText(Instant time);

}  // namespace bt::sim
