#pragma once

// Uploads: serving what is verified. A peer's requests wait in a bounded queue and leave as SendFile effects
// while its link has room; whose requests are taken is decided by free slots and by rounds of choking. Who
// has all suggests to each which piece to take. Invariant: only pieces that the torrent has verified are ever
// sent. For the client's engine.

#include <optional>

#include "core/swarm/choker.h"
#include "core/swarm/peer_table.h"
#include "core/swarm/spreader.h"
#include "core/swarm/throttle.h"
#include "core/swarm/torrent.h"

namespace bt::swarm {

class Uploads {
 public:
  using Ctx = Context<Protocol>;

  // All must outlive this; `totals` is added to.
  Uploads(const Torrent& torrent, PeerTable& peers, swarm::Progress& totals, const Config& config)
      : torrent_(torrent),
        peers_(peers),
        totals_(totals),
        limits_(config.limits),
        choker_(Slots(config)),
        throttle_(config.upload_limit),
        choke_interval_(config.timing.choke_interval) {}

  // From now on this client has all there is, and sees to it that the first copy spreads (spreader.h).
  void BeginSpreading(Ctx& context);
  // After PeerHas of all pieces that an input has told, and when Timer::kPeers has fired: suggestions that
  // are due.
  void Spread(Ctx& context);
  void PeerHas(const Peer& peer, PieceIndex piece, Ctx& context);
  // Of a piece that the torrent has lost.
  void Lost(PieceIndex piece);

  // False: there is no such place in the content.
  bool OnRequest(Peer& peer, const wire::BlockSpan& span, Ctx& context);
  void OnCancel(Peer& peer, const wire::BlockSpan& span);
  void OnInterest(Peer& peer, bool interested, Ctx& context);
  // The link has room again.
  void Serve(Peer& peer, Ctx& context);
  // Timer::kPeers has fired: Config::upload_limit may let more go.
  void Wake(Ctx& context);
  // The limit of bytes a second is another one in `config` from now on.
  void LimitChanged(const Config& config, Ctx& context);
  // Before the peer goes off the table: its slot is free for others.
  void Left(const Peer& peer);
  // Free slots go to whoever is interested, at once; who keeps a slot is decided by rounds.
  void FillSlots(Ctx& context);
  // Timer::kChoke has fired.
  void ChokeRound(Ctx& context);

  void CheckInvariants() const {
    if (spreader_) spreader_->CheckInvariants();
  }

 private:
  static uint32_t Slots(const Config& config);
  void SetChoking(Peer& peer, bool choking, Ctx& context);
  bool FindSlot(Ctx& context);
  void SetSpreading(Peer& peer, bool spreading, Ctx& context);
  bool HasWork(const Peer& peer) const;
  Peer* NextInTurn();
  void ServeInTurns(Ctx& context);
  void ServeOne(Peer& peer, Ctx& context);
  void SendBlock(Peer& peer, const wire::BlockSpan& span, Ctx& context);

  const Torrent& torrent_;
  PeerTable& peers_;
  swarm::Progress& totals_;
  const Limits limits_;
  Choker choker_;
  Throttle throttle_;
  Picker::PeerSlot turn_ = 0;  // under a limit: who was served last
  Duration choke_interval_;
  uint32_t unchoked_ = 0;
  std::optional<Spreader> spreader_;
};

}  // namespace bt::swarm
