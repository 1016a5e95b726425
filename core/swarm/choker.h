#pragma once

// Choker: who may ask us for blocks. Everyone interested while there are slots enough; else the peers that
// gave us most lately (BEP 3's tit for tat; for a seeder: those it has sent least to, so that all get
// their turn), and one slot for a peer drawn at random (the optimistic unchoke). Pure function.

#include <cstdint>
#include <vector>

#include "core/base/rng.h"

namespace bt::swarm {

struct ChokeCandidate {
  uint32_t peer = 0;     // the engine's dense number
  uint64_t given = 0;    // block bytes it sent us since the last round
  uint64_t taken = 0;    // block bytes we sent it since the last round
  bool snubbed = false;  // it owes us blocks: gets a slot only by chance
};

// The peers to be unchoked, in ascending order; all others are choked. At most `slots`.
std::vector<uint32_t> ChooseUnchoked(std::vector<ChokeCandidate> interested, uint32_t slots, bool seeding,
                                     Rng& rng);

}  // namespace bt::swarm
