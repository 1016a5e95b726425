#include "core/swarm/choker.h"

#include <algorithm>

namespace bt::swarm {

std::vector<uint32_t> ChooseUnchoked(std::vector<ChokeCandidate> interested, uint32_t slots, bool seeding,
                                     Rng& rng) {
  std::vector<uint32_t> chosen;
  if (interested.size() <= slots) {
    for (const ChokeCandidate& candidate : interested) chosen.push_back(candidate.peer);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }
  if (slots == 0) return chosen;
  const auto better = [seeding](const ChokeCandidate& a, const ChokeCandidate& b) {
    if (a.snubbed != b.snubbed) return b.snubbed;
    if (seeding && a.taken != b.taken) return a.taken < b.taken;
    if (!seeding && a.given != b.given) return a.given > b.given;
    return a.peer < b.peer;
  };
  std::sort(interested.begin(), interested.end(), better);
  for (uint32_t i = 0; i + 1 < slots; ++i) chosen.push_back(interested[i].peer);
  // The last slot is the optimistic one: any of the rest may prove itself.
  chosen.push_back(interested[slots - 1 + rng.Below(interested.size() - slots + 1)].peer);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace bt::swarm
