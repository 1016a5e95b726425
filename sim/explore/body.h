#pragma once

// Body: one node's machine with its Runner, its disk and its clock, alive: what a life (lives.h) is made of
// when it must be stepped. Nothing moves by itself. Its journal is a list; a completion of the disk is that
// of the writes of one step, the oldest.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/machine/runner.h"
#include "sim/explore/sight.h"
#include "sim/explore/subject.h"

namespace bt::sim::explore {

// What the runner acts on.
template <Subject S>
struct BodySurroundings {
  using M = typename S::Machine;
  using P = typename M::Protocol;
  using Outgoing = typename Outbox<P>::Outgoing;

  explicit BodySurroundings(const S& of) : subject(of) {}

  Instant Now() const { return clock; }
  Rng& rng() { return random; }
  void Append(JournalWrite write) {
    if (!appending) unsynced.emplace_back();
    appending = true;
    Show(Wrote{write.seq, write.type, write.body});
    unsynced.back().push_back(std::move(write));
  }
  void Commit() { appending = false; }
  void Forget(WriteSeq) { CHECK_MSG(false, "a scope in which a journal forgets"); }
  void Transmit(NodeId to, typename P::Message message) { Show(Told<P>{to, std::move(message)}); }
  void Do(typename P::FileEffect) { CHECK_MSG(false, "a scope with files"); }
  void Do(LinkEffect) { CHECK_MSG(false, "a scope with byte streams"); }
  void Answer(CallId call, typename P::Response response) { Show(Answered<P>{call, std::move(response)}); }
  void Note(typename P::Note note) { Show(Noted<P>{std::move(note)}); }
  void Wake(Instant) {}  // timers fire when they are chosen to
  void StepBegins(const Input<P>&) {}
  void Holds(const Outgoing& message) { held.push_back(message); }
  void StepEnds(const Input<P>& input) { Show(Ended<typename S::Look>{subject.After(*machine, input)}); }

  template <class E>
  void Show(E event) {
    seen.push_back(std::move(event));
  }

  const S& subject;
  M* machine = nullptr;  // the runner's
  Instant clock{1'000'000'000};
  Rng random{0};
  std::deque<std::vector<JournalWrite>> unsynced;  // by step
  bool appending = false;
  std::vector<Outgoing> held;  // as the runner holds them
  Sight<P, typename S::Look> seen;
};

template <Subject S>
class Body {
 public:
  using M = typename S::Machine;
  using P = typename M::Protocol;
  using Timer = typename P::Timer;
  using Seen = Sight<P, typename S::Look>;

  // The node's first life, with an empty journal. `subject` must outlive it.
  Body(const S& subject, NodeId self) : subject_(subject), self_(self), around_(subject) { Begin(); }
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  void Deliver(NodeId from, typename P::Message message) {
    around_.Show(Heard<P>{from, message});
    Step(Received<P>{from, std::move(message)});
  }
  // The timer must be armed. `way`: of subject.Draws.
  void Fire(Timer timer, uint32_t way) {
    CHECK(runner_->timers().armed(timer));
    runner_->timers().Disarm(timer);
    around_.random = subject_.Generator(way);
    around_.Show(Fired<P>{timer});
    Step(TimerFired<P>{timer});
  }
  void Call(CallId id, typename P::Request request) {
    around_.Show(Asked<P>{id, request});
    Step(bt::Call<P>{id, std::move(request)});
  }
  // There must be unfinished writes.
  void Sync() {
    for (JournalWrite& write : around_.unsynced.front()) Keep(std::move(write));
    around_.unsynced.pop_front();
    const WriteSeq durable(durable_.size());
    std::erase_if(around_.held, [&](const auto& message) { return message.after <= durable; });
    around_.Show(Synced{durable});
    Step(WriteDone{durable});
  }
  void Crash() {
    runner_.reset();
    around_.unsynced.clear();
    around_.held.clear();
    Begin();
  }

  // What has been seen since the last time.
  Seen TakeSight() { return std::exchange(around_.seen, {}); }

  const M& machine() const { return runner_->machine(); }
  bool syncing() const { return !around_.unsynced.empty(); }
  bool armed(Timer timer) const { return runner_->timers().armed(timer); }
  // Of all that decides what comes of it: machine, timers that may fire, disk, messages that wait for it.
  uint64_t Digest() const;

 private:
  void Begin() {
    around_.Show(Began{WriteSeq(durable_.size())});
    auto machine = subject_.Make(self_, durable_);
    around_.machine = machine.get();
    around_.random = subject_.Generator(0);
    runner_ = std::make_unique<Runner<M, BodySurroundings<S>>>(std::move(machine), around_);
    runner_->Start(durable_, WriteSeq(durable_.size()));
    around_.random = subject_.Generator(0);
  }
  void Step(Input<P> input) {
    around_.clock = around_.clock + subject_.Passes(runner_->machine(), input);
    runner_->Deliver(std::move(input));
    around_.random = subject_.Generator(0);
  }
  void Keep(JournalWrite write) {
    CHECK(write.seq.value() == durable_.size() + 1);
    journal_.Add(write.type);
    journal_.Add(write.body.view());
    durable_.push_back({write.seq, write.type, std::move(write.body)});
  }

  const S& subject_;
  const NodeId self_;
  std::vector<JournalRecord> durable_;
  RollingDigest journal_;  // of durable_
  BodySurroundings<S> around_;
  std::unique_ptr<Runner<M, BodySurroundings<S>>> runner_;
};

template <Subject S>
uint64_t Body<S>::Digest() const {
  RollingDigest digest;
  digest.Add(self_.value(), subject_.Digest(machine()), journal_.value());
  for (size_t timer = 0; timer < static_cast<size_t>(Timer::kCount); ++timer) {
    if (subject_.Fires(static_cast<Timer>(timer)) > 0) digest.Add(armed(static_cast<Timer>(timer)));
  }
  digest.Add(around_.unsynced.size());
  for (const std::vector<JournalWrite>& step : around_.unsynced) {
    digest.Add(step.size());
    for (const JournalWrite& write : step) {
      digest.Add(write.type);
      digest.Add(write.body.view());
    }
  }
  digest.Add(around_.held.size());
  for (const auto& message : around_.held) {
    digest.Add(message.to.value(), message.after.value());
    digest.Add(Encode(message.message));
  }
  return digest.value();
}

}  // namespace bt::sim::explore
