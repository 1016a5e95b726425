#pragma once

// Host<M, Edges>: runs one machine in the real world, on the loop's thread. It delivers inputs one at a
// time, executes the outbox after each step, and holds back every message that rests on the journal until
// what it rests on is durable. Queues filled by a step (journal, links, blocks) are flushed once, at the
// end of the loop's iteration.
//
// Edges is what lies outside: it must outlive the host, may be called in the middle of a step's effects,
// and may call Deliver at any time (a nested call is taken up after the step under way). It supplies
//   void SendMessage(NodeId to, const Message& message);
//   void OnReply(CallId call, Response response);
//   void OnNote(Note note);
//   void OnFatal(absl::Status status);     the journal failed: the node must stop, its peers carry on

#include <absl/status/status.h>
#include <sys/random.h>

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/machine/input.h"
#include "core/machine/machine.h"
#include "core/machine/outbox.h"
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
      : loop_(loop),
        machine_(std::move(machine)),
        edges_(edges),
        parts_(parts),
        rng_(seed),
        timer_(loop, [this] { OnTimer(); }) {
    ConnectParts();
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Once, before anything is delivered. `last_durable` is what recovery found, with or without records.
  void Start(std::vector<JournalRecord> records, WriteSeq last_durable = WriteSeq(0)) {
    CHECK(out_ == std::nullopt);
    out_.emplace(last_durable);
    durable_ = last_durable;
    Deliver(Started{std::move(records)});
  }

  void Deliver(Input<P> input) {
    CHECK_MSG(out_ != std::nullopt, "an input before Start");
    if (stepping_) {
      pending_.push_back(std::move(input));
      return;
    }
    stepping_ = true;
    Step(input);
    while (!pending_.empty()) {
      const Input<P> next = std::move(pending_.front());
      pending_.pop_front();
      Step(next);
    }
    stepping_ = false;
    timer_.Arm(out_->timers.Next());
  }

  const M& machine() const { return *machine_; }
  // Messages waiting for the disk.
  size_t held_sends() const { return held_.size(); }

 private:
  void ConnectParts() {
    const auto deliver = [this](auto parts_input) {
      std::visit([this](auto&& input) { Deliver(Input<P>(std::move(input))); }, std::move(parts_input));
    };
    if (parts_.journal != nullptr) {
      parts_.journal->Connect([this](WriteSeq seq) { OnDurable(seq); },
                              [this](absl::Status status) { edges_.OnFatal(std::move(status)); });
    }
    if (parts_.links != nullptr) {
      BlockStore* files = parts_.files;
      parts_.links->Connect(deliver,
                            [files](FileId file) { return files == nullptr ? nullptr : files->Find(file); });
    }
    if (parts_.files != nullptr) {
      StreamLinks* links = parts_.links;
      parts_.files->Connect(deliver, [links](bool congested) {
        if (links != nullptr) links->PauseReading(congested);
      });
    }
  }

  void Step(const Input<P>& input) {
    Context<P> context{loop_.now(), rng_, *out_};
    machine_->Step(input, context);
    machine_->CheckInvariants();
    Execute();
  }

  void Execute() {
    for (JournalWrite& write : out_->writes) {
      CHECK(parts_.journal != nullptr);
      parts_.journal->Append(std::move(write));
    }
    for (auto& send : out_->sends) {
      if (send.after <= durable_) {
        edges_.SendMessage(send.to, send.message);
      } else {
        held_.push_back(std::move(send));
      }
    }
    for (LinkEffect& effect : out_->links) {
      CHECK(parts_.links != nullptr);
      parts_.links->Execute(std::move(effect));
    }
    for (FileEffect& effect : out_->files) {
      CHECK(parts_.files != nullptr);
      parts_.files->Execute(std::move(effect));
    }
    for (auto& answer : out_->replies) edges_.OnReply(answer.call, std::move(answer.response));
    for (auto& note : out_->notes) edges_.OnNote(std::move(note));
    out_->Clear();
  }

  void OnDurable(WriteSeq seq) {
    CHECK(seq >= durable_ && seq <= out_->last_write());
    durable_ = seq;
    // Not in order of `after`: a step may rest one message on an older write than another's.
    size_t kept = 0;
    for (size_t i = 0; i < held_.size(); ++i) {
      if (held_[i].after <= durable_) {
        edges_.SendMessage(held_[i].to, held_[i].message);
      } else {
        if (kept != i) held_[kept] = std::move(held_[i]);
        ++kept;
      }
    }
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(kept), held_.end());
    Deliver(WriteDone{seq});
  }

  void OnTimer() {
    // At most each one once: a machine that arms a deadline already past must not keep out everything else.
    for (size_t i = 0; i < TimerTable<typename P::Timer>::kCount; ++i) {
      const auto timer = out_->timers.PopDue(loop_.now());
      if (!timer) break;
      Deliver(TimerFired<P>{*timer});
    }
    timer_.Arm(out_->timers.Next());
  }

  Loop& loop_;
  std::unique_ptr<M> machine_;
  Edges& edges_;
  const HostParts parts_;
  Rng rng_;
  Timer timer_;
  std::optional<Outbox<P>> out_;
  WriteSeq durable_;
  std::deque<typename Outbox<P>::Outgoing> held_;
  std::deque<Input<P>> pending_;
  bool stepping_ = false;
};

}  // namespace bt::net
