#include "core/swarm/demand_order.h"

#include <algorithm>

namespace bt::swarm {

Address DemandOrder::Key(const Sender& sender) {
  Address key = sender.address;
  if (sender.inbound()) key.port = 0;
  return key;
}

void DemandOrder::TookTurn(const Sender& sender, Instant now) {
  last_[Key(sender)] = now;
  if (last_.size() <= kTurnsRemembered) return;
  last_.erase(std::min_element(last_.begin(), last_.end(),
                               [](const auto& a, const auto& b) { return a.second < b.second; }));
}

Instant DemandOrder::last_turn(const Sender& sender) const {
  const auto found = last_.find(Key(sender));
  return found == last_.end() ? Instant{INT64_MIN} : found->second;
}

}  // namespace bt::swarm
