// Downloads' part for pieces that one peer has to deliver alone: whose turn it is, and when it is over. And
// who is left idle, for judges.

#include "core/swarm/downloads.h"

namespace bt::swarm {

// A piece that one peer has to deliver alone is this peer's to deliver, unless another one that could be
// asked has waited longer for its turn. A snubbed peer keeps nobody waiting: it owes blocks already. So every
// peer that has the piece gets its turn after at most one of each other peer, however many connections a liar
// opens; and of the connections from one IP address the one that has waited longest. Nor does anybody wait
// for one that leads: it is asked for what it suggests, and that may be never.
bool Downloads::MayDemand(const Peer& peer, PieceIndex piece) const {
  const DemandOrder::Turn last = demands_.last_turn(peer.sender());
  const bool some_lead = picker_->rarest() <= Sources();
  bool its_turn = true;
  peers_.EachReady([&](const Peer& other) {
    const bool led = some_lead && other.lead.leads;
    const bool could = MayAsk(other) && !other.snubbed && !led && other.pieces.Has(piece);
    if (could && demands_.last_turn(other.sender()) < last) its_turn = false;
  });
  return its_turn;
}

void Downloads::ExpireAlone(Duration limit, Ctx& context) {
  if (!picker_ || !picker_->any_alone()) return;
  peers_.EachReady([&](Peer& peer) {
    for (const PieceIndex piece : picker_->ExpireAlone(peer.slot, context.now - limit)) {
      LoseTurn(peer, piece, context);
    }
  });
}

// The piece was demanded of it alone and is another's to deliver now. Whatever else it has delivered
// meanwhile, others come before it.
void Downloads::LoseTurn(Peer& peer, PieceIndex piece, Ctx& context) {
  GiveUpRequests(peer, true, piece);
  demands_.TookTurn(peer.sender(), context.now);
  refill_all_ = true;
}

const Peer* Downloads::Overlooked() const {
  const Peer* overlooked = nullptr;
  if (!picker_ || Room() == 0 || throttled_) return overlooked;
  peers_.EachReady([&](const Peer& peer) {
    if (overlooked != nullptr || !peer.requests.empty() || !MayAsk(peer) || IsLed(peer)) return;
    const auto may_demand = [&](PieceIndex piece) { return MayDemand(peer, piece); };
    if (picker_->AnythingFor(peer.slot, peer.pieces, may_demand)) overlooked = &peer;
  });
  return overlooked;
}

}  // namespace bt::swarm
