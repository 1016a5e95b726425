#pragma once

// LockService: one lock, leased by its keeper to whoever asks while it is free. A lease ends by itself: the
// lock comes back from a client that has crashed, and nobody has to tell the dead from the slow.
//
// Mutual exclusion rests on durations alone (Gray and Cheriton, "Leases", 1989), because two clocks have
// nothing in common but, nearly, their rate. A client counts its lease from when it asked, which is before
// the keeper was asked; the keeper counts longer, by a margin for clocks that drift apart. What must hold of
// the machines: no clock drifts by more than 5 %, none leaps, none stands still while its process sleeps.
//
// Each grant has a token, higher than all before. The keeper tells it when it is durable, and waits a lease
// when it starts again, since it has forgotten who had the lock. A client begins to number its askings by
// lot: what an earlier life of it asked for must not count from when this one asks.

#include <variant>

#include "core/base/check.h"
#include "core/base/clocks.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/machine/files.h"
#include "core/machine/machine.h"

namespace lock_service {

using bt::Duration, bt::Instant, bt::NodeId;

struct Ask {
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Grant {
  static constexpr bool kRestsOnJournal = true;
  uint64_t number = 0;  // of the asking
  uint64_t token = 0;
  Duration lease;
  bt::ForeignInstant ends;  // on the keeper's clock
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("token", self.token);
    visit("lease", self.lease);
    visit("ends", self.ends);
  }
};
struct Release {
  uint64_t token = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("token", self.token); }
};
struct Holds {
  uint64_t token = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("token", self.token); }
};

struct Protocol {
  using Message = std::variant<Ask, Grant, Release>;
  enum class Timer : uint8_t { kTurn, kFree, kCount };  // a client's turn; the keeper has the lock again
  using Request = std::variant<std::monostate>;
  using Response = std::variant<std::monostate>;
  using Note = std::variant<Holds>;
  using FileEffect = bt::NoFiles;
  using FileDone = bt::NoFiles;
};

// How a lease is counted. The first way is right; the others are mistakes for the simulator to find.
enum class Counting : uint8_t { kWithMargin, kWithoutMargin, kByKeepersClock };

class LockService final {
 public:
  using Protocol = lock_service::Protocol;
  using Context = bt::Context<Protocol>;
  static constexpr Duration kLease = bt::Seconds(1);
  // For one clock that is 5 % slow and another that is 5 % fast: 1.05 / 0.95 < 1 + 1/8.
  static constexpr Duration kMargin = kLease / 8;

  LockService(NodeId self, NodeId keeper, Counting counting = Counting::kWithMargin)
      : self_(self), keeper_(keeper), counting_(counting) {}

  void Step(const bt::Input<Protocol>& input, Context& context) {
    std::visit([&](const auto& one) { On(one, context); }, input);
  }
  void CheckInvariants() const { CHECK(self_ == keeper_ || holder_ == NodeId(0)); }
  uint64_t Digest() const { return bt::HashBytes(bt::Encode(std::pair(std::pair(token_, number_), until_))); }

  // Of a client whose clock says `now`: whether it has the lock, and by which token.
  bool holds(Instant now) const { return now < until_; }
  uint64_t token() const { return token_; }

 private:
  Duration KeptFor() const { return counting_ == Counting::kWithoutMargin ? kLease : kLease + kMargin; }

  void On(const bt::Started& started, Context& context) {
    if (self_ != keeper_) {
      number_ = context.rng.Next();
      return context.out.Arm(Protocol::Timer::kTurn, context.now + context.rng.Between(Duration{0}, kLease));
    }
    for (const bt::JournalRecord& record : started.records)
      token_ = bt::Decode<uint64_t>(record.body).value();
    if (token_ == 0) return;
    holder_ = self_;  // whoever that was
    context.out.Arm(Protocol::Timer::kFree, context.now + KeptFor());
  }
  void On(const bt::TimerFired<Protocol>& fired, Context& context) {
    if (fired.timer == Protocol::Timer::kTurn) return TakeTurn(context);
    holder_ = NodeId(0);
  }
  void On(const bt::Received<Protocol>& received, Context& context) {
    std::visit([&](const auto& message) { Hear(received.from, message, context); }, received.message);
  }
  void On(const auto&, Context&) {}

  void TakeTurn(Context& context) {
    ++number_;  // a grant that is still under way comes too late
    if (holds(context.now)) {
      until_ = Instant{};
      context.out.Send(keeper_, Release{token_});
    } else {
      asked_ = context.now;
      context.out.Send(keeper_, Ask{number_});
    }
    const Duration pause = context.rng.Between(bt::Milliseconds(50), kLease * 2);
    context.out.Arm(Protocol::Timer::kTurn, context.now + pause);
  }
  // Nobody waits in a queue: who gets no answer asks again in its next turn.
  void Hear(NodeId from, const Ask& ask, Context& context) {
    if (self_ != keeper_ || (holder_ != NodeId(0) && holder_ != from)) return;
    holder_ = from;
    const Instant free = context.now + KeptFor();
    context.out.Arm(Protocol::Timer::kFree, free);
    const bt::WriteSeq written = context.out.Write(1, bt::Slice::Own(bt::Encode(++token_)));
    context.out.SendAfter(from, Grant{ask.number, token_, kLease, bt::ForeignInstant(free)}, written);
  }
  void Hear(NodeId from, const Grant& grant, Context& context) {
    if (from != keeper_ || grant.number != number_ || grant.token <= token_) return;
    const Instant until =
        counting_ == Counting::kByKeepersClock ? grant.ends.BackHome() : asked_ + grant.lease;
    if (until <= context.now) return;
    until_ = until;
    token_ = grant.token;
    context.out.Note(Holds{token_});
  }
  void Hear(NodeId from, const Release& release, Context& context) {
    if (self_ != keeper_ || holder_ != from || token_ != release.token) return;
    holder_ = NodeId(0);
    context.out.Disarm(Protocol::Timer::kFree);
  }

  NodeId self_;
  NodeId keeper_;
  Counting counting_;
  uint64_t token_ = 0;   // the last one given, or got
  NodeId holder_;        // of the keeper; 0: nobody; itself: somebody from before it started
  uint64_t number_ = 0;  // these three are a client's
  Instant asked_;
  Instant until_;
};

}  // namespace lock_service
