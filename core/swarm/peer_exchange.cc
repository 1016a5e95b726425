#include "core/swarm/peer_exchange.h"

#include <algorithm>
#include <iterator>

#include "core/swarm/peer_table.h"
#include "core/swarm/wire.h"

namespace bt::swarm {

void TellPeers(PeerTable& peers, Peer& peer, Instant now) {
  PeerExchange& exchange = peer.exchange;
  if (now < exchange.next) return;
  exchange.next = now + PeerExchange::kLook;
  std::vector<wire::PeerExchange::Added> known;
  peers.EachReady([&](const Peer& other) {
    const bool itself = other.slot == peer.slot || other.listens == peer.listens;
    if (!itself && other.listens.port != 0) known.push_back({other.listens, other.pieces.all()});
  });
  std::sort(known.begin(), known.end(), [](const auto& a, const auto& b) { return a.peer < b.peer; });
  wire::PeerExchange message;
  message.id = exchange.id;
  std::vector<Address> told;
  for (const wire::PeerExchange::Added& other : known) {
    if (!told.empty() && told.back() == other.peer) continue;
    const bool new_to_it = !std::binary_search(exchange.told.begin(), exchange.told.end(), other.peer);
    if (new_to_it && message.added.size() == wire::kExchangeLimit) continue;  // the next time
    if (new_to_it) message.added.push_back(other);
    told.push_back(other.peer);
  }
  std::vector<Address> gone;
  std::set_difference(exchange.told.begin(), exchange.told.end(), told.begin(), told.end(),
                      std::back_inserter(gone));
  if (gone.size() > wire::kExchangeLimit) {
    const auto later = gone.begin() + static_cast<ptrdiff_t>(wire::kExchangeLimit);
    std::vector<Address> both;
    std::merge(told.begin(), told.end(), later, gone.end(), std::back_inserter(both));
    told = std::move(both);
    gone.erase(later, gone.end());
    // Who is gone and is not yet said to be has no place beyond the limit.
    if (told.size() > kPeerLimit) told.resize(kPeerLimit);
  }
  if (message.added.empty() && gone.empty()) return;
  message.dropped = std::move(gone);
  exchange.told = std::move(told);
  exchange.next = now + PeerExchange::kInterval;
  peers.Queue(peer, message);
}

}  // namespace bt::swarm
