#pragma once

// World: one simulated run: a heap of events and the clock it drives, the random streams of its seed, a
// recorder, a verdict, and the counts of faults. A run is a pure function of (binary, seed, decisions):
// nothing here, and nothing that runs in it, may look at the real world.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "sim/decisions.h"
#include "sim/event_heap.h"
#include "sim/faults.h"
#include "sim/figures.h"
#include "sim/hash_memo.h"
#include "sim/random_stream.h"
#include "sim/recorder.h"
#include "sim/step_kinds.h"
#include "sim/trace.h"
#include "sim/verdict.h"

namespace bt::sim {

struct WorldOptions {
  RecorderOptions recorder;
  std::string judge;  // which judges count: see Verdict
  bool record_decisions = false;
  const Decisions* decisions = nullptr;  // what the streams decide; outlives the world
  std::vector<Redraw> redraws;           // in order of their events
  bool watch_kinds = false;              // see StepKinds
  uint64_t event_limit = 200'000'000;    // a run that needs more is a livelock
};

class World {
 public:
  explicit World(uint64_t seed, WorldOptions options = {});
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  uint64_t seed() const { return seed_; }
  Instant now() const { return now_; }

  // Registers a stream: the same one for the same arguments, whatever was drawn from others.
  RandomStream Stream(std::string_view purpose, uint64_t index = 0) {
    return {root_.Fork(purpose, index), tapes_.has_value() ? &*tapes_ : nullptr, purpose, index};
  }
  // What all streams have decided so far; nothing unless decisions are recorded or given.
  Decisions Recording() const { return tapes_.has_value() ? tapes_->Recording() : Decisions(); }

  void Schedule(Instant when, EventSink* sink, uint64_t argument);
  void After(Duration delay, EventSink* sink, uint64_t argument) { Schedule(now_ + delay, sink, argument); }
  // Runs events up to and including `end`, or to the first failure; then now() == end.
  void RunUntil(Instant end);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }
  uint64_t events() const { return events_; }

  // One step of a node: what it was and the hash of what it saw and did.
  void Observe(uint64_t node, uint64_t what, uint64_t hash) {
    std::optional<std::string> difference = recorder_.Observe(now_, node, what, hash);
    if (difference.has_value()) [[unlikely]] {
      Fail(std::move(*difference));
    }
  }
  // More of the same step (a state digest, a byte count).
  void Mix(uint64_t value) { recorder_.Mix(value); }
  uint64_t digest() const { return recorder_.digest(); }
  uint64_t steps() const { return recorder_.steps(); }

  // `text` is a function that makes the record's text; it is called only when somebody looks.
  template <class F>
  void Trace(const TraceHead& head, F&& text) {
    if (recorder_.tracing()) [[unlikely]] {
      AddTrace(head, text());
    }
  }
  void Trace(const TraceHead& head) {
    Trace(head, [] { return std::string(); });
  }
  const std::deque<TraceRecord>& trace() const { return recorder_.trace(); }

  HashMemo& hashes() { return hashes_; }

  // What kinds of steps there were; nullptr: nobody looks.
  StepKinds* kinds() { return kinds_ ? &*kinds_ : nullptr; }
  ReachedKinds reached() const { return kinds_ ? kinds_->Reached() : ReachedKinds(); }

  // A fault happens, at a place if it has one. `detail` is a function that says more, for whoever looks.
  template <class F>
  void Count(Fault fault, FaultPlace place, F&& detail) {
    faults_.Add(fault);
    if (recorder_.tracing()) [[unlikely]] {
      TraceFault(fault, place, detail());
    }
  }
  void Count(Fault fault, FaultPlace place = {}) {
    Count(fault, place, [] { return std::string(); });
  }
  const FaultCounts& faults() const { return faults_; }
  // What this run has measured.
  void Measure(std::string_view name, uint64_t thousandths) { figures_.Add(name, thousandths); }
  const Figures& figures() const { return figures_; }
  // What people call an endpoint.
  void Name(uint32_t node, const std::string& name);
  uint32_t nodes() const { return static_cast<uint32_t>(names_.size()); }

  // The first sentence wins and stops the run.
  void Fail(std::string sentence);
  bool failed() const { return verdict_.failed(); }
  const std::optional<std::string>& failure() const { return verdict_.sentence(); }

 private:
  void AddTrace(const TraceHead& head, std::string text);
  void TraceFault(Fault fault, FaultPlace place, std::string detail);
  std::string NameOf(uint32_t node) const;

  uint64_t seed_;
  uint64_t event_limit_;
  std::vector<Redraw> redraws_;
  size_t next_redraw_ = 0;
  Rng root_;
  std::optional<Tapes> tapes_;
  EventHeap heap_;
  Recorder recorder_;
  Verdict verdict_;
  FaultCounts faults_;
  Figures figures_;
  HashMemo hashes_;
  std::optional<StepKinds> kinds_;
  std::vector<std::string> names_;
  Instant now_{0};
  uint64_t events_ = 0;
};

}  // namespace bt::sim
