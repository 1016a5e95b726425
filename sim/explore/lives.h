#pragma once

// Lives: all that has become of single nodes in any future. A node's state is a function of the inputs it has
// had, whatever happened elsewhere meanwhile, and the same few states meet in very many global ones: each is
// kept once, as one number, and the machine itself takes each step once. What a life did is remembered; the
// machine is made anew from the life's inputs when a step is taken for the first time.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/halves.h"
#include "sim/explore/body.h"
#include "sim/explore/messages.h"
#include "sim/explore/subject.h"

namespace bt::sim::explore {

// What a node takes, in one word.
class Intake {
 public:
  enum class Kind : uint8_t { kDeliver, kFire, kSync, kCall, kCrash };

  static Intake Deliver(uint32_t message) { return {Kind::kDeliver, message}; }
  static Intake Fire(uint8_t timer, uint8_t way) { return {Kind::kFire, uint32_t{timer} << 8 | way}; }
  static Intake Sync() { return {Kind::kSync, 0}; }
  static Intake Call(uint8_t kind, uint8_t number) { return {Kind::kCall, uint32_t{kind} << 8 | number}; }
  static Intake Crash() { return {Kind::kCrash, 0}; }
  static Intake Of(uint32_t word) { return {static_cast<Kind>(word >> 28), word & kArgumentMax}; }

  Kind kind() const { return kind_; }
  uint32_t argument() const { return argument_; }
  uint8_t high() const { return static_cast<uint8_t>(argument_ >> 8); }
  uint8_t low() const { return static_cast<uint8_t>(argument_); }
  uint32_t word() const { return static_cast<uint32_t>(kind_) << 28 | argument_; }

 private:
  static constexpr uint32_t kArgumentMax = (1u << 28) - 1;
  Intake(Kind kind, uint32_t argument) : kind_(kind), argument_(argument) {
    CHECK(argument_ <= kArgumentMax);
  }

  Kind kind_;
  uint32_t argument_;
};

template <Subject S>
class Lives {
 public:
  using P = typename S::Machine::Protocol;
  using Seen = Sight<P, typename S::Look>;

  struct Life {
    uint64_t digest = 0;
    uint32_t parent = kNone;
    uint32_t intake = 0;
    NodeId node;
    uint8_t armed = 0;  // a bit for each timer that may fire
    uint8_t takes = 0;  // a bit for each kind of calls
    bool syncing = false;
  };
  struct Step {
    uint32_t next = 0;
    uint32_t sight = 0;
    std::vector<uint32_t> sends;  // messages that leave, in order
  };

  // `merge`: alike lives are one. Without it each sequence of inputs is a life of its own.
  Lives(const S& subject, bool merge) : subject_(subject), merge_(merge) {}

  // A node's beginning.
  Step Begin(NodeId node) {
    Body<S> body(subject_, node);
    return Note(body, kNone, 0, node);
  }
  const Step& Take(uint32_t life, Intake intake) {
    const auto [known, fresh] =
        known_steps_.try_emplace(Join(life, intake.word()), static_cast<uint32_t>(steps_.size()));
    if (!fresh) return *steps_[known->second];
    const std::unique_ptr<Body<S>> body = Revive(life);
    Feed(*body, intake);
    steps_.push_back(std::make_unique<Step>(Note(*body, life, intake.word(), lives_[life].node)));
    return *steps_.back();
  }

  // What was seen of such a step, in full: alike sights are kept once, as far as judges look.
  Seen Watch(uint32_t life, Intake intake) {
    const std::unique_ptr<Body<S>> body = Revive(life);
    Feed(*body, intake);
    return body->TakeSight();
  }

  const Life& operator[](uint32_t life) const { return lives_[life]; }
  const Seen& sight(uint32_t sight) const { return sights_[sight]; }
  const Messages<P>& messages() const { return messages_; }
  size_t size() const { return lives_.size(); }
  size_t steps() const { return steps_.size(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  std::unique_ptr<Body<S>> Revive(uint32_t life) {
    std::vector<uint32_t> intakes;
    for (; lives_[life].parent != kNone; life = lives_[life].parent) intakes.push_back(lives_[life].intake);
    auto body = std::make_unique<Body<S>>(subject_, lives_[life].node);
    for (auto intake = intakes.rbegin(); intake != intakes.rend(); ++intake) {
      Feed(*body, Intake::Of(*intake));
    }
    (void)body->TakeSight();
    return body;
  }

  void Feed(Body<S>& body, Intake intake) {
    switch (intake.kind()) {
      case Intake::Kind::kDeliver: {
        const auto& message = messages_[intake.argument()];
        return body.Deliver(message.from, message.message);
      }
      case Intake::Kind::kFire:
        return body.Fire(static_cast<typename P::Timer>(intake.high()), intake.low());
      case Intake::Kind::kSync:
        return body.Sync();
      case Intake::Kind::kCall:
        return body.Call(CallId(intake.argument() + 1), subject_.calls()[intake.high()][intake.low()]);
      case Intake::Kind::kCrash:
        return body.Crash();
    }
  }

  Step Note(Body<S>& body, uint32_t parent, uint32_t intake, NodeId node) {
    Step step;
    Seen seen = body.TakeSight();
    for (const auto& event : seen) {
      if (const auto* told = std::get_if<Told<P>>(&event)) {
        step.sends.push_back(messages_.NumberOf(node, told->to, told->message));
      }
    }
    step.sight = NumberOf(node, std::move(seen));
    step.next = NumberOf(body, parent, intake, node);
    return step;
  }

  uint32_t NumberOf(NodeId node, Seen seen) {
    RollingDigest digest;
    digest.Add(node.value(), subject_.Digest(seen));
    const auto [known, fresh] =
        known_sights_.try_emplace(digest.value(), static_cast<uint32_t>(sights_.size()));
    if (fresh) sights_.push_back(std::move(seen));
    return known->second;
  }

  uint32_t NumberOf(const Body<S>& body, uint32_t parent, uint32_t intake, NodeId node) {
    const uint64_t digest = body.Digest();
    if (merge_) {
      const auto [known, fresh] = known_lives_.try_emplace(digest, static_cast<uint32_t>(lives_.size()));
      if (!fresh) return known->second;
    }
    Life life{.digest = digest, .parent = parent, .intake = intake, .node = node, .syncing = body.syncing()};
    for (uint32_t timer = 0; timer < static_cast<uint32_t>(P::Timer::kCount); ++timer) {
      const auto what = static_cast<typename P::Timer>(timer);
      if (subject_.Fires(what) > 0 && body.armed(what)) life.armed |= static_cast<uint8_t>(1u << timer);
    }
    for (uint32_t kind = 0; kind < subject_.calls().size(); ++kind) {
      if (subject_.Takes(body.machine(), kind)) life.takes |= static_cast<uint8_t>(1u << kind);
    }
    lives_.push_back(life);
    return static_cast<uint32_t>(lives_.size() - 1);
  }

  const S& subject_;
  const bool merge_;
  std::vector<Life> lives_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<Seen> sights_;
  Messages<P> messages_;
  absl::flat_hash_map<uint64_t, uint32_t> known_lives_;   // by digest
  absl::flat_hash_map<uint64_t, uint32_t> known_steps_;   // by life and intake
  absl::flat_hash_map<uint64_t, uint32_t> known_sights_;  // by node and digest
};

}  // namespace bt::sim::explore
