#include "core/swarm/demand_order.h"

#include <algorithm>

namespace bt::swarm {
namespace {

template <class Key>
void Remember(absl::btree_map<Key, Instant>& turns, const Key& key, Instant now) {
  turns[key] = now;
  if (turns.size() <= DemandOrder::kTurnsRemembered) return;
  turns.erase(std::min_element(turns.begin(), turns.end(),
                               [](const auto& a, const auto& b) { return a.second < b.second; }));
}

template <class Key>
Instant Find(const absl::btree_map<Key, Instant>& turns, const Key& key) {
  const auto found = turns.find(key);
  return found == turns.end() ? DemandOrder::kNoTurn : found->second;
}

}  // namespace

Address DemandOrder::Key(const Sender& sender) {
  Address key = sender.address;
  if (sender.inbound()) key.port = 0;
  return key;
}

void DemandOrder::TookTurn(const Sender& sender, Instant now) {
  Remember(of_peers_, Key(sender), now);
  Remember(of_connections_, sender.link, now);
}

void DemandOrder::Delivered(const Sender& sender) {
  of_peers_.erase(Key(sender));
  of_connections_.erase(sender.link);
}

DemandOrder::Turn DemandOrder::last_turn(const Sender& sender) const {
  return {Find(of_peers_, Key(sender)), Find(of_connections_, sender.link)};
}

}  // namespace bt::swarm
