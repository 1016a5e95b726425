#pragma once

// Choker: who may ask us for blocks. Everyone interested while there are slots enough; else the peers that
// gave us most lately (BEP 3's tit for tat; for a seeder: those it has sent least to, so that all get
// their turn), and one peer drawn at random (the optimistic unchoke). BEP 3 leaves that one its slot for
// three rounds: a newcomer needs the time to get a piece whole before it can give anything.

#include <cstdint>
#include <vector>

#include "core/base/rng.h"

namespace bt::swarm {

struct ChokeCandidate {
  uint32_t peer = 0;     // the peer table's dense number
  uint64_t given = 0;    // block bytes it sent us since the last round
  uint64_t taken = 0;    // block bytes we sent it since the last round
  bool snubbed = false;  // it owes us blocks: gets a slot only by chance
};

class Choker {
 public:
  static constexpr uint32_t kOptimisticRounds = 3;

  explicit Choker(uint32_t slots) : slots_(slots) {}

  // One round: the peers to be unchoked, in ascending order; all others are choked. At most as many as slots.
  std::vector<uint32_t> Choose(std::vector<ChokeCandidate> interested, bool seeding, Rng& rng);
  // The peer's number will be another's.
  void Left(uint32_t peer) {
    if (peer == optimistic_) optimistic_ = kNobody;
  }

  // From the next round on.
  void SetSlots(uint32_t slots) { slots_ = slots; }
  uint32_t slots() const { return slots_; }

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;

  uint32_t slots_;
  uint32_t optimistic_ = kNobody;
  uint32_t rounds_left_ = 0;  // for optimistic_
};

}  // namespace bt::swarm
