#pragma once

// StepKinds: what kinds of steps the machines of one world have taken, and which kind came after which at a
// node. A kind is a machine, the role it was in, an input's alternative and what kind of thing came in it;
// and likewise a note. Sweeps list them, and steering (steering.h) goes on from runs that have reached new
// ones.

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::sim {

struct StepKind {
  uint64_t kind = 0;
  std::string name;  // "tracker leader Received Accepted"
  uint64_t count = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("kind", self.kind);
    visit("name", self.name);
    visit("count", self.count);
  }
  friend bool operator==(const StepKind&, const StepKind&) = default;
};

// Two kinds one after the other, and the event of the world with which that came about first.
struct StepPair {
  uint64_t pair = 0;
  uint64_t event = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("pair", self.pair);
    visit("event", self.event);
  }
  friend bool operator==(const StepPair&, const StepPair&) = default;
};

// What a run has reached, in order.
struct ReachedKinds {
  std::vector<StepKind> kinds;
  std::vector<StepPair> pairs;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("kinds", self.kinds);
    visit("pairs", self.pairs);
  }
};

class StepKinds {
 public:
  static constexpr size_t kPairsMax = size_t{1} << 17;  // of one world; more are not told apart

  // `name` is a function, called for the first of the kind.
  template <class F>
  void Take(uint32_t node, uint64_t event, uint64_t kind, F&& name) {
    StepKind& known = kinds_[kind];
    if (known.count++ == 0) known = {kind, name(), 1};
    if (last_.size() <= node) last_.resize(node + 1);
    const uint64_t before = std::exchange(last_[node], kind);
    RollingDigest pair;
    pair.Add(before, kind);
    if (pairs_.size() < kPairsMax) pairs_.emplace(pair.value(), event);
  }

  ReachedKinds Reached() const {
    ReachedKinds reached;
    for (const auto& [kind, known] : kinds_) reached.kinds.push_back(known);
    std::sort(reached.kinds.begin(), reached.kinds.end(),
              [](const StepKind& a, const StepKind& b) { return a.kind < b.kind; });
    for (const auto& [pair, event] : pairs_) reached.pairs.push_back({pair, event});
    std::sort(reached.pairs.begin(), reached.pairs.end(),
              [](const StepPair& a, const StepPair& b) { return a.pair < b.pair; });
    return reached;
  }

 private:
  absl::flat_hash_map<uint64_t, StepKind> kinds_;
  absl::flat_hash_map<uint64_t, uint64_t> pairs_;  // and their first events
  std::vector<uint64_t> last_;                     // of each node
};

// The kind of a value among those of its type: which alternative it is, and which the value within is, where
// a struct has one member that says what it is about.
template <class T>
void AddKind(const T& value, RollingDigest& digest) {
  if constexpr (fields_internal::IsVariant<T>::value) {
    digest.Add(value.index());
    std::visit([&](const auto& one) { AddKind(one, digest); }, value);
  } else if constexpr (requires { value.message.index(); }) {
    AddKind(value.message, digest);
  } else if constexpr (requires { value.request.index(); }) {
    AddKind(value.request, digest);
  } else if constexpr (requires { value.what.index(); }) {
    AddKind(value.what, digest);
  } else if constexpr (requires { requires std::is_enum_v<decltype(value.timer)>; }) {
    digest.Add(static_cast<uint64_t>(value.timer));
  }
}

// "Received Accepted", "TimerFired 3".
template <class T>
void AppendKindName(const T& value, std::string& name) {
  if constexpr (fields_internal::IsVariant<T>::value) {
    std::visit([&](const auto& one) { AppendKindName(one, name); }, value);
    return;
  } else if constexpr (!std::is_same_v<T, std::monostate>) {
    const std::string text = TraceText(value);
    name += ' ' + text.substr(0, text.find('{'));
    if constexpr (requires { value.message.index(); }) {
      AppendKindName(value.message, name);
    } else if constexpr (requires { value.request.index(); }) {
      AppendKindName(value.request, name);
    } else if constexpr (requires { value.what.index(); }) {
      AppendKindName(value.what, name);
    } else if constexpr (requires { requires std::is_enum_v<decltype(value.timer)>; }) {
      name += ' ' + std::to_string(static_cast<unsigned>(value.timer));
    }
  }
}

}  // namespace bt::sim
