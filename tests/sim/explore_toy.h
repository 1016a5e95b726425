#pragma once

// A token that nodes pass round: the smallest subject of explore. Whoever has it passes it to the next node
// when it is called, writes down that it has it no more, and tells the next one when that is durable. At most
// one node may have it. Broken on purpose where a test wants it: the holder tells before it has written, or
// takes a token that was passed on for lost when its timer fires.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/machine/machine.h"
#include "sim/explore/subject.h"

namespace bt::sim::explore {

struct Token {
  static constexpr void Fields(auto&, auto&&) {}
};

struct TokenProtocol {
  using Message = std::variant<Token>;
  enum class Timer : uint8_t { kLost, kCount };
  struct Pass {};
  using FileEffect = NoFiles;
  using FileDone = NoFiles;
  using Request = std::variant<Pass>;
  using Response = std::variant<std::monostate>;
  using Note = std::variant<std::monostate>;
};

enum class Mistake : uint8_t { kNone, kTellsBeforeDurable, kTakesForLost, kDies };

class TokenNode final {
 public:
  using Protocol = TokenProtocol;

  TokenNode(NodeId self, uint32_t nodes, bool has, Mistake mistake)
      : self_(self), nodes_(nodes), has_(has), mistake_(mistake) {}

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* started = std::get_if<Started>(&input)) {
      if (!started->records.empty()) has_ = started->records.back().type == kHas;
    } else if (std::holds_alternative<Call<Protocol>>(input)) {
      has_ = false;
      const WriteSeq gone = context.out.Write(kHasNot, Slice::Static("-"));
      const NodeId to(self_.value() % nodes_ + 1);
      context.out.SendAfter(to, Token{}, mistake_ == Mistake::kTellsBeforeDurable ? WriteSeq(0) : gone);
      if (mistake_ == Mistake::kTakesForLost) context.out.Arm(Protocol::Timer::kLost, context.now);
    } else if (std::holds_alternative<Received<Protocol>>(input)) {
      CHECK(mistake_ != Mistake::kDies);
      has_ = true;
      context.out.Write(kHas, Slice::Static("+"));
    } else if (std::holds_alternative<TimerFired<Protocol>>(input)) {
      has_ = true;
    }
  }
  void CheckInvariants() const {}
  uint64_t Digest() const { return has_; }
  bool has() const { return has_; }

 private:
  enum RecordType : uint8_t { kHas = 1, kHasNot = 2 };

  NodeId self_;
  uint32_t nodes_;
  bool has_;
  Mistake mistake_;
};

class TokenJudge {
 public:
  std::optional<std::string> See(NodeId node, const Sight<TokenProtocol, bool>& sight) {
    const uint64_t bit = uint64_t{1} << node.value();
    holders_ = std::get<Ended<bool>>(sight.back()).look ? holders_ | bit : holders_ & ~bit;
    if ((holders_ & (holders_ - 1)) == 0) return std::nullopt;
    return "token: two nodes have it";
  }
  uint64_t Digest() const { return holders_; }

 private:
  uint64_t holders_ = 0;
};

struct TokenSubject {
  using Machine = TokenNode;
  using Look = bool;
  using Judge = TokenJudge;
  using P = TokenProtocol;
  using Timer = TokenProtocol::Timer;

  TokenSubject(uint32_t size, uint32_t passes, Mistake planted)
      : nodes(size), mistake(planted), requests(1, std::vector<P::Request>(passes)) {}

  std::unique_ptr<TokenNode> Make(NodeId self, const std::vector<JournalRecord>&) const {
    return std::make_unique<TokenNode>(self, nodes, self == NodeId(1), mistake);
  }
  uint64_t Digest(const TokenNode& node) const { return node.Digest(); }
  bool After(TokenNode& node, const Input<P>&) const { return node.has(); }
  uint64_t Digest(const Sight<P, bool>& sight) const {
    RollingDigest digest;
    for (const auto& event : sight) digest.Add(event.index());
    digest.Add(std::get<Ended<bool>>(sight.back()).look);
    return digest.value();
  }
  uint32_t Fires(Timer) const { return 1; }
  bool MayFire(Timer, uint32_t, NodeId) const { return true; }
  uint32_t Draws(Timer) const { return 1; }
  Rng Generator(uint32_t) const { return Rng(1); }
  Duration Passes(const TokenNode&, const Input<P>&) const { return {}; }
  Way WayOf(const P::Message&) const { return Way::kLink; }
  const std::vector<std::vector<P::Request>>& calls() const { return requests; }
  bool Takes(const TokenNode& node, uint32_t) const { return node.has(); }
  TokenJudge FirstJudge() const { return {}; }
  std::string Words(const P::Message&) const { return "the token"; }
  std::string Words(Timer) const { return "lost"; }
  std::string Words(const P::Request&) const { return "pass it on"; }
  std::string Words(const P::Note&) const { return ""; }

  uint32_t nodes;
  Mistake mistake;
  std::vector<std::vector<P::Request>> requests;
};

}  // namespace bt::sim::explore
