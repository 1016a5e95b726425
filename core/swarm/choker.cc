#include "core/swarm/choker.h"

#include <algorithm>
#include <cstddef>

namespace bt::swarm {

std::vector<uint32_t> Choker::Choose(std::vector<ChokeCandidate> interested, bool seeding, Rng& rng) {
  std::vector<uint32_t> chosen;
  if (interested.size() <= slots_) {
    optimistic_ = kNobody;
    for (const ChokeCandidate& candidate : interested) chosen.push_back(candidate.peer);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }
  if (slots_ == 0) return chosen;
  const auto better = [seeding](const ChokeCandidate& a, const ChokeCandidate& b) {
    if (a.snubbed != b.snubbed) return b.snubbed;
    if (seeding && a.taken != b.taken) return a.taken < b.taken;
    if (!seeding && a.given != b.given) return a.given > b.given;
    return a.peer < b.peer;
  };
  std::sort(interested.begin(), interested.end(), better);
  for (uint32_t i = 0; i + 1 < slots_; ++i) chosen.push_back(interested[i].peer);
  // The last slot is the optimistic one. A holder that has earned a regular slot frees it for the next.
  const auto rest = interested.begin() + (slots_ - 1);
  const bool held =
      rounds_left_ > 0 && std::any_of(rest, interested.end(), [&](const ChokeCandidate& candidate) {
        return candidate.peer == optimistic_;
      });
  if (!held) {
    optimistic_ = rest[static_cast<std::ptrdiff_t>(rng.Below(interested.size() - slots_ + 1))].peer;
    rounds_left_ = kOptimisticRounds;
  }
  --rounds_left_;
  chosen.push_back(optimistic_);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace bt::swarm
