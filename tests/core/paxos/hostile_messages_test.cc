// Whatever stands in the fields of a message, and in whatever role it is met: no replica breaks an
// invariant, and a cluster that was sent numbers that cannot be true elects and writes as if it had not been.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/base/fields.h"
#include "tests/core/paxos/cluster.h"

namespace bt::paxos {
namespace {

constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();

// Calls `change` with each number of a message, in order: the name of its field and a reference to it.
template <class Change>
struct Numbers {
  Change change;

  template <class T>
  void operator()(const char* name, T& value) {
    if constexpr (std::is_same_v<T, Slot> || std::is_same_v<T, NodeId>) {
      typename T::rep number = value.value();
      change(std::string_view(name), number);
      value = T(number);
    } else if constexpr (std::is_same_v<T, uint64_t>) {
      change(std::string_view(name), value);
    } else if constexpr (std::is_same_v<T, std::vector<AcceptedEntry>>) {
      // But for the node of its ballot, which only orders values.
      for (AcceptedEntry& entry : value) {
        (*this)("slot", entry.slot);
        (*this)("round", entry.ballot.round);
      }
    } else if constexpr (HasFields<T>) {
      T::Fields(value, *this);
    }
  }
};

template <class Change>
void ForEachNumber(Message& message, Change change) {
  Numbers<Change> numbers{std::move(change)};
  std::visit([&](auto& fields) { numbers("message", fields); }, message);
}

class HostileWorld {
 public:
  explicit HostileWorld(uint64_t seed) : cluster_(3, seed), rng_(Rng(seed).Fork("hostile")) {}

  // Traffic of a cluster at work, in which leaders come and go.
  void Work() {
    for (uint32_t node = 1; node <= 3; ++node) {
      if (cluster_.replica(node).is_leader()) cluster_.Propose(node, absl::StrCat("c", ++commands_));
      if (rng_.Chance(3, 4)) cluster_.Sync(node);
    }
    if (rng_.Chance(1, 3)) cluster_.FireNext();
    if (rng_.Chance(1, 20)) cluster_.Stall(AnyNode());
    if (rng_.Chance(1, 5)) cluster_.Resume(AnyNode());
    if (rng_.Chance(1, 8)) cluster_.Lose(To(AnyNode()));
  }

  // A copy of some message under way with one number changed by `change`, to any node and from any id.
  template <class Change>
  void Strike(Change change) {
    if (cluster_.in_flight().empty()) return;
    Envelope envelope = cluster_.in_flight()[rng_.Below(cluster_.in_flight().size())];
    size_t count = 0;
    ForEachNumber(envelope.message, [&](std::string_view, auto&) { ++count; });
    size_t pick = rng_.Below(count);
    ForEachNumber(envelope.message, [&](std::string_view name, auto& number) {
      if (pick-- == 0) change(name, number);
    });
    // What a leader says that its follower has told it is no number: told to another one, it is a lie like a
    // wrong digest, and ends it.
    const bool told = std::holds_alternative<Heartbeat>(envelope.message);
    if (rng_.Chance(1, 8) && !told) envelope.to = AnyNode();
    if (rng_.Chance(1, 16)) envelope.from = static_cast<uint32_t>(rng_.Below(6));
    cluster_.in_flight().insert(cluster_.in_flight().begin(), std::move(envelope));
  }

  uint64_t AnyNumber() {
    const uint64_t near[] = {cluster_.replica(1).chosen().value(),
                             cluster_.replica(1).ballot().round,
                             kRoundStep,
                             kSlotMax.value(),
                             kRoundMax,
                             uint64_t{1} << 32,
                             65'536,
                             kTop,
                             0};
    const uint64_t number = near[rng_.Below(std::size(near))];
    return rng_.Chance(1, 4) ? rng_.Next() : number + rng_.Below(7) - 3;
  }

  uint32_t AnyNode() { return static_cast<uint32_t>(1 + rng_.Below(3)); }
  Rng& rng() { return rng_; }
  Cluster& cluster() { return cluster_; }

 private:
  Cluster cluster_;
  Rng rng_;
  int commands_ = 0;
};

// Numbers that lie about what was voted or chosen can make replicas disagree (they then stop), and nothing
// worse: the cluster runs the invariants of every replica after every step.
TEST(HostileMessages, NoNumberInAnyFieldBreaksAnInvariant) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    HostileWorld world(seed);
    for (int i = 0; i < 400; ++i) {
      world.Work();
      for (int strikes = 0; strikes < 2; ++strikes) {
        world.Strike([&](std::string_view, auto& number) {
          number = static_cast<std::remove_reference_t<decltype(number)>>(world.AnyNumber());
        });
      }
      world.cluster().Deliver(Everything());
    }
  }
}

TEST(HostileMessages, NumbersThatCannotBeTrueLeaveTheClusterAtWork) {
  uint64_t struck = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    HostileWorld world(seed);
    Cluster& cluster = world.cluster();
    for (int i = 0; i < 400; ++i) {
      world.Work();
      world.Strike([&](std::string_view name, auto& number) {
        using Number = std::remove_reference_t<decltype(number)>;
        if constexpr (std::is_same_v<Number, uint64_t>) {
          if (name == "chain") return;  // no number but a digest
          const uint64_t past = name == "round" ? kRoundMax : kSlotMax.value();
          number = world.rng().Chance(1, 2) ? kTop : past + 1 + world.rng().Below(1000);
        } else {
          number = static_cast<Number>(3 + 7 * world.rng().Below(1000));  // a node's id
        }
        ++struck;
      });
      cluster.Deliver(Everything());
      ASSERT_EQ(cluster.violation(), "") << "seed " << seed;
    }
    for (uint32_t node = 1; node <= 3; ++node) cluster.Resume(node);
    cluster.Settle();
    const Instant healed = cluster.now();
    const auto served = [&] {
      for (uint32_t node = 1; node <= 3; ++node) {
        if (cluster.Log(node).find("healed") == std::string::npos) return false;
      }
      return true;
    };
    for (int i = 0; i < 2000 && !served(); ++i) {
      cluster.FireNext();
      cluster.Settle();
      for (uint32_t node = 1; node <= 3; ++node) {
        ASSERT_FALSE(cluster.replica(node).stopped()) << "seed " << seed << ": " << cluster.Diverged(node);
        if (cluster.replica(node).is_leader()) cluster.Propose(node, "healed");
      }
      cluster.Settle();
    }
    ASSERT_TRUE(served()) << "seed " << seed;
    ASSERT_LE(cluster.now() - healed, Seconds(10)) << "seed " << seed;
    ASSERT_EQ(cluster.violation(), "") << "seed " << seed;
  }
  EXPECT_GT(struck, 20'000u);
}

}  // namespace
}  // namespace bt::paxos
