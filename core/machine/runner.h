#pragma once

// Runner<M, S>: the only executor of outboxes. It starts one machine, hands it one input at a time, carries
// out what the machine left in its outbox in the order outbox.h promises, holds messages until the writes
// they rest on are durable, and fires timers. The simulator, the real host, the tests' harnesses and machines
// inside machines differ in their surroundings alone, so what the simulator tests is what ships.
//
// Invariants: a machine is never stepped within a step (what arrives meanwhile waits for its end); no message
// leaves before the write it rests on is durable; each due timer fires at most once a call of FireDueTimers.
// Destroying the runner is the crash: held messages and waiting inputs are gone. One thread.

#include <bitset>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/machine/files.h"
#include "core/machine/input.h"
#include "core/machine/machine.h"
#include "core/machine/outbox.h"

namespace bt {

// Sends a message on its way, now: it may.
template <class S, class P>
concept Transmits = requires(S& surroundings, NodeId to, typename P::Message message) {
  surroundings.Transmit(to, std::move(message));
};
// Passes a message on together with the write it rests on, into the outbox of a machine outside. The runner
// of that machine holds it; this one does not.
template <class S, class P>
concept Relays = requires(S& surroundings, typename Outbox<P>::Outgoing message) {
  surroundings.Relay(std::move(message));
};

// Executes the protocol's file effects; each completes with a later FileCompleted.
template <class S, class P>
concept DoesFiles = requires(S& surroundings, typename P::FileEffect effect) {
  surroundings.Do(std::move(effect));
};

// What differs between worlds. No function may step the machine or destroy its runner; each may Deliver.
template <class S, class P>
concept Surroundings = requires(S& surroundings, const Input<P>& input, JournalWrite write, LinkEffect link,
                                const typename Outbox<P>::Outgoing& message, CallId call,
                                typename P::Response response, typename P::Note note, Instant when) {
  { surroundings.Now() } -> std::same_as<Instant>;
  { surroundings.rng() } -> std::same_as<Rng&>;
  surroundings.Append(std::move(write));  // to the journal, in memory
  surroundings.Commit();                  // that was all of this step: make it durable, in time
  surroundings.Forget(WriteSeq());        // durable records below this one are needed no more
  requires Transmits<S, P> || Relays<S, P>;
  requires DoesFiles<S, P> || !HasFiles<P>;
  surroundings.Do(std::move(link));                // its outcome is a later input
  surroundings.Answer(call, std::move(response));  // to whoever called
  surroundings.Note(std::move(note));              // to whoever watches
  surroundings.Wake(when);         // call FireDueTimers then; takes the place of earlier wishes
  surroundings.StepBegins(input);  // for traces, digests and judges; see Unwatched
  surroundings.Holds(message);     // it waits for a write
  surroundings.StepEnds(input);    // after the effects
};

// For surroundings that watch no step.
template <class P>
struct Unwatched {
  void StepBegins(const Input<P>&) {}
  void Holds(const typename Outbox<P>::Outgoing&) {}
  void StepEnds(const Input<P>&) {}
};

template <Machine M, Surroundings<typename M::Protocol> S>
class Runner {
 public:
  using P = typename M::Protocol;
  using Timers = TimerTable<typename P::Timer>;
  // Whoever delivers from within a step has at most one input under way for each connection it serves.
  static constexpr size_t kWaitingInputsMax = size_t{1} << 20;
  // Past it the disk has hung: further messages are dropped and counted, as a network may drop any message.
  static constexpr size_t kHeldMessagesMax = size_t{1} << 17;

  Runner(std::unique_ptr<M> machine, S& surroundings)
      : machine_(std::move(machine)), surroundings_(surroundings) {}
  ~Runner() { CHECK_MSG(!stepping_, "a runner must not be destroyed within a step of its machine"); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Once, before anything is delivered: `records` is what recovery found, `durable` its last sequence.
  void Start(std::vector<JournalRecord> records, WriteSeq durable) {
    CHECK_MSG(!started_, "a machine is started once");
    started_ = true;
    durable_ = durable;
    out_ = Outbox<P>(durable);
    Deliver(Started{std::move(records)});
  }

  // Steps the machine, or, within a step, after that one.
  void Deliver(Input<P> input) {
    CHECK_MSG(started_, "an input before Start");
    if (stepping_) {
      CHECK_MSG(waiting_.size() < kWaitingInputsMax,
                "more inputs wait for the end of a step than edges may give");
      waiting_.push_back(std::move(input));
      return;
    }
    Take(input);
    surroundings_.Wake(out_.timers.Next());
  }

  // Every write up to `seq` is durable.
  void Durable(WriteSeq seq) { Deliver(WriteDone{seq}); }

  // Timers that are armed again for a time already past wait for the next call: they must not keep out
  // everything else. A timer that an earlier one's step disarms does not fire.
  void FireDueTimers() {
    CHECK_MSG(started_ && !stepping_, "timers fire between steps");
    const Instant now = surroundings_.Now();
    std::bitset<Timers::kCount> fired;
    while (const auto timer = out_.timers.PopDue(now, fired)) {
      fired.set(static_cast<size_t>(*timer));
      Take(TimerFired<P>{*timer});
    }
    surroundings_.Wake(out_.timers.Next());
  }

  M& machine() { return *machine_; }
  const M& machine() const { return *machine_; }
  Timers& timers() { return out_.timers; }
  const Timers& timers() const { return out_.timers; }
  // Messages that wait for the disk, and those given up because too many did.
  size_t held() const { return held_.size(); }
  uint64_t dropped() const { return dropped_; }

 private:
  using Outgoing = typename Outbox<P>::Outgoing;

  void Take(const Input<P>& input) {
    stepping_ = true;
    Step(input);
    while (!waiting_.empty()) {
      const Input<P> next = std::move(waiting_.front());
      waiting_.pop_front();
      Step(next);
    }
    stepping_ = false;
  }

  void Step(const Input<P>& input) {
    surroundings_.StepBegins(input);
    if (const auto* done = std::get_if<WriteDone>(&input)) Release(done->seq);
    Context<P> context{surroundings_.Now(), surroundings_.rng(), out_};
    machine_->Step(input, context);
    machine_->CheckInvariants();
    Execute();
    surroundings_.StepEnds(input);
  }

  // The order is contract: see outbox.h.
  void Execute() {
    if (!out_.writes.empty()) {
      for (JournalWrite& write : out_.writes) surroundings_.Append(std::move(write));
      surroundings_.Commit();
    }
    if (out_.forget > WriteSeq(0)) {
      CHECK_MSG(out_.forget <= durable_.next(), "a machine forgets what has no durable successor");
      surroundings_.Forget(out_.forget);
    }
    for (Outgoing& message : out_.sends) SendOrHold(std::move(message));
    if constexpr (HasFiles<P>) {
      for (auto& effect : out_.files) surroundings_.Do(std::move(effect));
    }
    for (LinkEffect& effect : out_.links) surroundings_.Do(std::move(effect));
    for (auto& answer : out_.replies) surroundings_.Answer(answer.call, std::move(answer.response));
    for (auto& note : out_.notes) surroundings_.Note(std::move(note));
    out_.Clear();
  }

  void SendOrHold(Outgoing message) {
    CHECK_MSG(message.after <= out_.last_write(), "a message rests on a write that was never made");
    if constexpr (Relays<S, P>) {
      surroundings_.Relay(std::move(message));
    } else if (message.after <= durable_) {
      surroundings_.Transmit(message.to, std::move(message.message));
    } else if (held_.size() < kHeldMessagesMax) {
      surroundings_.Holds(message);
      held_.push_back(std::move(message));
    } else {
      ++dropped_;
    }
  }

  // A step may rest one message on an older write than an earlier one: those held are not in order of
  // `after`, so all are looked at, and the rest keep their order.
  void Release(WriteSeq seq) {
    CHECK_MSG(seq >= durable_ && seq <= out_.last_write(), "the journal confirms what it was not given");
    durable_ = seq;
    if constexpr (Transmits<S, P>) {
      size_t kept = 0;
      for (size_t i = 0; i < held_.size(); ++i) {
        if (held_[i].after <= durable_) {
          surroundings_.Transmit(held_[i].to, std::move(held_[i].message));
        } else {
          if (kept != i) held_[kept] = std::move(held_[i]);
          ++kept;
        }
      }
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(kept), held_.end());
    }
  }

  std::unique_ptr<M> machine_;
  S& surroundings_;
  Outbox<P> out_;
  WriteSeq durable_;
  std::deque<Outgoing> held_;     // at most kHeldMessagesMax
  std::deque<Input<P>> waiting_;  // at most kWaitingInputsMax
  uint64_t dropped_ = 0;
  bool started_ = false;
  bool stepping_ = false;
};

}  // namespace bt
