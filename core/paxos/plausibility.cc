#include "core/paxos/plausibility.h"

#include <algorithm>
#include <type_traits>

namespace bt::paxos {
namespace {

// The highest round and the highest slot of a message, wherever they stand in it.
struct Highest {
  uint64_t round = 0;
  Slot slot;

  template <class T>
  void operator()(const char*, const T& value) {
    if constexpr (std::is_same_v<T, Ballot>) {
      round = std::max(round, value.round);
    } else if constexpr (std::is_same_v<T, Slot>) {
      slot = std::max(slot, value);
    } else if constexpr (std::is_same_v<T, std::vector<AcceptedEntry>>) {
      for (const AcceptedEntry& entry : value) AcceptedEntry::Fields(entry, *this);
    } else if constexpr (std::is_same_v<T, std::vector<Epoch>>) {
      for (const Epoch& epoch : value) Epoch::Fields(epoch, *this);
    } else if constexpr (HasFields<T>) {
      T::Fields(value, *this);
    }
  }
};

}  // namespace

void Plausibility::Start(uint64_t promised, Instant now) {
  limit_ = std::min(promised, kRoundMax - kRoundStep) + kRoundStep;
  raised_ = now;
}

bool Plausibility::Admits(const Message& message, Instant now) {
  Highest highest;
  std::visit([&](const auto& fields) { highest("message", fields); }, message);
  if (highest.slot > kSlotMax) return false;
  const bool near = limit_ - std::min(limit_, highest.round) < kRoundStep;
  if (near && limit_ < kRoundMax && now - raised_ >= kRoundPause) {
    limit_ = std::min(limit_, kRoundMax - kRoundStep) + kRoundStep;
    raised_ = now;
  }
  return highest.round <= limit_;
}

}  // namespace bt::paxos
