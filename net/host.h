#pragma once

// Host<M, Edges>: runs one machine in the real world, on the loop's thread: a Runner (core/machine/runner.h)
// whose surroundings are a journal, links and files on the loop. Queues filled by a step (journal, links,
// blocks) are flushed once, at the end of the loop's iteration.
//
// Edges is what lies outside: it must outlive the host, may be called in the middle of a step's effects,
// and may call Deliver at any time (a nested call is taken up after the step under way). It supplies
//   void SendMessage(NodeId to, const Message& message);
//   void OnReply(CallId call, Response response);
//   void OnNote(Note note);
//   void OnFatal(absl::Status status);     the journal failed: the node must stop, its peers carry on

#include <absl/status/status.h>
#include <sys/random.h>

#include <algorithm>
#include <concepts>
#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/machine/runner.h"
#include "net/journal.h"
#include "net/latency_histogram.h"
#include "net/loop.h"
#include "net/stream_links.h"

namespace bt::net {

// Stands for the store of a host without files.
struct NoStore {
  void Connect(auto&&, auto&&) {}
  void Execute(auto&&) { CHECK_MSG(false, "a file effect, and no store to execute it"); }
  FileSpot Find(FileId, uint64_t) const { return {}; }
};

// Stands for the recorder of a host that is never recorded.
struct NoRecorder {};

inline uint64_t SystemSeed() {
  uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

// How long steps took: of the machine, with the execution of what it left in its outbox. Nothing else of the
// loop's thread goes on meanwhile, heartbeats included, so the longest one bounds what everybody may wait
// for.
struct StepTimes {
  LatencyHistogram steps;
  Duration longest;

  void Add(Duration step) {
    steps.Add(step);
    longest = std::max(longest, step);
  }
};

// Files executes P::FileEffect: it supplies
//   void Connect(deliver, congestion);     deliver(P::FileDone) later; congestion(bool): reading should pause
//   or go on void Execute(P::FileEffect effect); FileSpot Find(FileId file, uint64_t offset) const;
//   an open file to send from, or nullptr
// Recorder is StepRecorder<P> (core/machine/step_recorder.h) where the machine can be recorded.
template <Machine M, class Edges, class Files = NoStore, class Recorder = NoRecorder>
class Host {
 public:
  using P = typename M::Protocol;

  // Parts a machine may have; an effect for a part that is not there is a bug of the wiring.
  struct Parts {
    Journal* journal = nullptr;
    StreamLinks* links = nullptr;
    Files* files = nullptr;
    Recorder* recorder = nullptr;  // may be left out
  };

  // The parts are connected to this host here; they must outlive it, and deliver nothing after it is gone
  // (destroy the host only when the loop has stopped).
  Host(Loop& loop, std::unique_ptr<M> machine, Edges& edges, Parts parts, uint64_t seed = SystemSeed())
      : surroundings_(loop, edges, parts, seed, [this] { runner_.FireDueTimers(); }),
        runner_(std::move(machine), surroundings_) {
    ConnectParts(edges, parts);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Once, before anything is delivered. `last_durable` is what recovery found, with or without records.
  void Start(std::vector<JournalRecord> records, WriteSeq last_durable = WriteSeq(0)) {
    runner_.Start(std::move(records), last_durable);
  }
  void Deliver(Input<P> input) { runner_.Deliver(std::move(input)); }

  const M& machine() const { return runner_.machine(); }
  // Messages waiting for the disk.
  size_t held_sends() const { return runner_.held(); }
  // Given up because too many waited.
  uint64_t dropped_sends() const { return runner_.dropped(); }
  const StepTimes& step_times() const { return surroundings_.step_times; }

 private:
  struct OnTheLoop {
    OnTheLoop(Loop& on, Edges& outside, Parts with, uint64_t seed, std::function<void()> fire)
        : loop(on), edges(outside), parts(with), random(seed), timer(on, std::move(fire)) {}

    Instant Now() const { return loop.now(); }
    Rng& rng() { return random; }
    // Calls `record` with the recorder, if the machine has one.
    template <class F>
    void Record(F record) {
      if constexpr (!std::same_as<Recorder, NoRecorder>) {
        if (parts.recorder != nullptr && parts.recorder->recording()) record(*parts.recorder);
      }
    }
    void Append(JournalWrite write) {
      CHECK(parts.journal != nullptr);
      Record([&](auto& recorder) { recorder.effects().Add(write); });
      parts.journal->Append(std::move(write));
    }
    void Forget(WriteSeq needed) {
      CHECK(parts.journal != nullptr);
      Record([&](auto& recorder) { recorder.effects().AddForget(needed); });
      parts.journal->Forget(needed);
    }
    void Commit() {}  // the journal does, at the end of the loop's iteration: one sync for all its steps
    void Transmit(NodeId to, const typename P::Message& message) {
      Record([&](auto& recorder) { recorder.effects().Add(to, message); });
      edges.SendMessage(to, message);
    }
    void Do(typename P::FileEffect effect) requires HasFiles<P> {
      CHECK(parts.files != nullptr);
      parts.files->Execute(std::move(effect));
    }
    void Do(LinkEffect effect) {
      CHECK(parts.links != nullptr);
      Record([&](auto& recorder) { recorder.effects().Add(effect); });
      parts.links->Execute(std::move(effect));
    }
    void Answer(CallId call, typename P::Response response) {
      Record([&](auto& recorder) { recorder.effects().Add(call, response); });
      edges.OnReply(call, std::move(response));
    }
    void Note(typename P::Note note) {
      Record([&](auto& recorder) { recorder.effects().AddNote(note); });
      edges.OnNote(std::move(note));
    }
    void Wake(Instant when) { timer.Arm(when); }
    void StepBegins(const Input<P>& input) {
      step_began = Loop::ReadClock();
      Record([&](auto& recorder) { recorder.Begin(Now(), input); });
    }
    void Holds(const typename Outbox<P>::Outgoing&) {}
    void StepEnds(const Input<P>&) {
      Record([](auto& recorder) { recorder.End(); });
      step_times.Add(Loop::ReadClock() - step_began);
    }

    Loop& loop;
    Edges& edges;
    const Parts parts;
    Rng random;
    Timer timer;
    Instant step_began;
    StepTimes step_times;
  };

  void ConnectParts(Edges& edges, const Parts& parts) {
    if (parts.journal != nullptr) {
      parts.journal->Connect([this](WriteSeq seq) { runner_.Durable(seq); },
                             [&edges](absl::Status status) { edges.OnFatal(std::move(status)); });
    }
    if (parts.links != nullptr) {
      parts.links->Connect(
          [this](LinkInput links_input) {
            std::visit([this](auto& input) { Deliver(std::move(input)); }, links_input);
          },
          [files = parts.files](FileId file, uint64_t offset) {
            return files == nullptr ? FileSpot() : files->Find(file, offset);
          });
    }
    if constexpr (HasFiles<P>) {
      if (parts.files == nullptr) return;
      parts.files->Connect([this](typename P::FileDone done) { Deliver(FileCompleted<P>{std::move(done)}); },
                           [links = parts.links](bool congested) {
                             if (links != nullptr) links->PauseReading(congested);
                           });
    }
  }

  OnTheLoop surroundings_;
  Runner<M, OnTheLoop> runner_;
};

}  // namespace bt::net
