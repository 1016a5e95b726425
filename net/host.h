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

#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/machine/runner.h"
#include "net/block_store.h"
#include "net/journal.h"
#include "net/loop.h"
#include "net/stream_links.h"

namespace bt::net {

// Parts a machine may have; an effect for a part that is not there is a bug of the wiring.
struct HostParts {
  Journal* journal = nullptr;
  StreamLinks* links = nullptr;
  BlockStore* files = nullptr;
};

inline uint64_t SystemSeed() {
  uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

template <Machine M, class Edges>
class Host {
 public:
  using P = typename M::Protocol;

  // The parts are connected to this host here; they must outlive it, and deliver nothing after it is gone
  // (destroy the host only when the loop has stopped).
  Host(Loop& loop, std::unique_ptr<M> machine, Edges& edges, HostParts parts, uint64_t seed = SystemSeed())
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

 private:
  struct OnTheLoop : Unwatched<P> {
    OnTheLoop(Loop& on, Edges& outside, HostParts with, uint64_t seed, std::function<void()> fire)
        : loop(on), edges(outside), parts(with), random(seed), timer(on, std::move(fire)) {}

    Instant Now() const { return loop.now(); }
    Rng& rng() { return random; }
    void Append(JournalWrite write) {
      CHECK(parts.journal != nullptr);
      parts.journal->Append(std::move(write));
    }
    void Commit() {}  // the journal does, at the end of the loop's iteration: one sync for all its steps
    void Transmit(NodeId to, const typename P::Message& message) { edges.SendMessage(to, message); }
    void Do(FileEffect effect) {
      CHECK(parts.files != nullptr);
      parts.files->Execute(std::move(effect));
    }
    void Do(LinkEffect effect) {
      CHECK(parts.links != nullptr);
      parts.links->Execute(std::move(effect));
    }
    void Answer(CallId call, typename P::Response response) { edges.OnReply(call, std::move(response)); }
    void Note(typename P::Note note) { edges.OnNote(std::move(note)); }
    void Wake(Instant when) { timer.Arm(when); }

    Loop& loop;
    Edges& edges;
    const HostParts parts;
    Rng random;
    Timer timer;
  };

  void ConnectParts(Edges& edges, const HostParts& parts) {
    const auto deliver = [this](auto parts_input) {
      std::visit([this](auto&& input) { Deliver(Input<P>(std::move(input))); }, std::move(parts_input));
    };
    if (parts.journal != nullptr) {
      parts.journal->Connect([this](WriteSeq seq) { runner_.Durable(seq); },
                             [&edges](absl::Status status) { edges.OnFatal(std::move(status)); });
    }
    if (parts.links != nullptr) {
      BlockStore* files = parts.files;
      parts.links->Connect(deliver,
                           [files](FileId file) { return files == nullptr ? nullptr : files->Find(file); });
    }
    if (parts.files != nullptr) {
      StreamLinks* links = parts.links;
      parts.files->Connect(deliver, [links](bool congested) {
        if (links != nullptr) links->PauseReading(congested);
      });
    }
  }

  OnTheLoop surroundings_;
  Runner<M, OnTheLoop> runner_;
};

}  // namespace bt::net
