// The engine's links: who is dialled, greeted, kept, cut off, banned.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/compact_address.h"
#include "core/swarm/engine.h"

namespace bt::swarm {
namespace {

constexpr std::string_view kClientName = "ByteTorrent";

}  // namespace

// --- parting ---

// Takes the peer off every table. The link itself is the caller's business.
void Client::Engine::RemovePeer(Peer& peer, Ctx& context) {
  if (peer.state == Peer::State::kReady) {
    uploads_->Left(peer);
    downloads_->Left(peer);
    // One that leaves an offer without having all may still wait for the rest.
    if (phase_ == Phase::kDownloading || (phase_ == Phase::kOffering && !peer.pieces.all())) {
      tracker_.LookSoon(context.now);
    }
  }
  peers_.Remove(peer);
}

void Client::Engine::Disconnect(Peer& peer, std::string why, bool fault, Ctx& context) {
  context.out.Link(LinkClose{peer.link, false});
  Leave(peer, std::move(why), fault, context);
}

void Client::Engine::Leave(Peer& peer, std::string why, bool fault, Ctx& context) {
  if (peer.state == Peer::State::kReady) context.out.Note(PeerDisconnected{peer.address, std::move(why)});
  if (!peer.inbound()) FreeAddress(peer, fault, context);
  RemovePeer(peer, context);
  uploads_->FillSlots(context);
  Dial(context);
}

// What becomes of the address of a peer that we dialled and that is gone.
void Client::Engine::FreeAddress(const Peer& peer, bool fault, Ctx& context) {
  if (peer.state == Peer::State::kHandshaking) {
    book_.Refused(peer.address, torrent_->info_hashes().dialled(), !fault, context.now, context.rng);
  } else if (phase_ == Phase::kOffering && peer.state == Peer::State::kReady) {
    book_.Erase(peer.address);
  } else if (peer.delivered && !fault) {
    book_.Lost(peer.address, context.now, context.rng);
  } else {
    book_.Failed(peer.address, context.now, context.rng);
  }
  if (phase_ == Phase::kOffering && book_.failures(peer.address) >= kOfferDials) book_.Erase(peer.address);
}

void Client::Engine::ProtocolError(Peer& peer, const char* what, Ctx& context) {
  ++totals_.protocol_errors;
  Disconnect(peer, absl::StrCat("broke the protocol: ", what), true, context);
}

void Client::Engine::Convict(const Sender& sender, PieceIndex piece, Ctx& context) {
  if (IsWebSeed(sender.address)) {
    web_seeds_->Convict(sender, piece, context);
    return downloads_->Distrust(sender);
  }
  if (book_.banned(sender.address)) return;
  book_.Ban(sender.address);
  if (sender.inbound()) probation_.Convicted(sender.address, context.now);
  digest_.Add(uint64_t{sender.address.port});
  PeerBanned banned{sender.address, absl::StrCat("sent wrong bytes for piece ", piece.value()), {}};
  peers_.Each([&](Peer& peer) {
    if (!peer.sender().Same(sender)) return;
    if (peer.inbound()) banned.listens = peer.listens;
    Disconnect(peer, "banned", true, context);
  });
  context.out.Note(std::move(banned));
  downloads_->Distrust(sender);
}

// --- connecting ---

void Client::Engine::Dial(Ctx& context) {
  if (!dials()) return context.out.Disarm(Timer::kDial);
  const uint32_t room =
      std::min(config_.connection_limit - std::min(config_.connection_limit, peers_.links()),
               config_.dial_limit - std::min(config_.dial_limit, peers_.dialled()));
  for (const Address& address : book_.TakeDue(context.now, room)) {
    if (peers_.ConnectedTo(address)) {  // it was faster
      book_.Failed(address, context.now, context.rng);
      continue;
    }
    const LinkId link(next_link_++);
    context.out.Link(LinkConnect{link, address});
    peers_.Touch(peers_.Add(link, address, verified().size(), context.now), context);
  }
  // Without room the next departure dials.
  const Instant next = peers_.dialled() < config_.dial_limit && peers_.links() < config_.connection_limit
                           ? book_.next_due()
                           : Instant::Never();
  if (next == Instant::Never()) {
    context.out.Disarm(Timer::kDial);
  } else {
    context.out.Arm(Timer::kDial, next);
  }
}

void Client::Engine::Handle(const LinkUp& input, Ctx& context) {
  const bool inbound = (input.link.value() & kInboundLink) != 0;
  if (!inbound) {
    Peer* peer = peers_.Find(input.link);
    if (peer == nullptr || peer->state != Peer::State::kConnecting) return;
    peer->state = Peer::State::kHandshaking;
    return SendHandshake(*peer, torrent_->info_hashes().ToDial(book_.attempt(peer->address)));
  }
  const bool welcome =
      speaking() && torrent_ && peers_.links() < config_.connection_limit && !book_.banned(input.peer);
  if (!welcome) return context.out.Link(LinkClose{input.link, false});
  Peer& peer = peers_.Add(input.link, input.peer, verified().size(), context.now);
  peer.state = Peer::State::kHandshaking;
  peers_.Touch(peer, context);
}

void Client::Engine::SendHandshake(Peer& peer, const InfoHashes::Known& under) {
  wire::Handshake handshake;
  handshake.info_hash = under.hash;
  handshake.peer_id = self_id_;
  handshake.fast = handshake.extended = true;
  handshake.v2 = under.offers_upgrade();
  peers_.QueueHandshake(peer, handshake);
}

// Its handshake is here. Ours is on its way to those we dialled, and answers the others.
void Client::Engine::Greet(Peer& peer, const wire::Handshake& handshake, Ctx& context) {
  const InfoHashes::Known* under = torrent_->info_hashes().Find(handshake.info_hash);
  if (under == nullptr) {
    return ProtocolError(peer, "another content's info-hash", context);
  }
  if (handshake.peer_id == self_id_) {
    const Address address = peer.address;
    Disconnect(peer, "this is myself", true, context);
    return book_.Forget(address);
  }
  peer.id = handshake.peer_id;
  peer.fast = handshake.fast;
  peer.extended = handshake.extended;
  peer.under = *under;
  if (peer.inbound()) {
    SendHandshake(peer, *under);
  } else {
    book_.Greeted(peer.address);
  }
  if (!KeepNewcomer(peer, context)) return;
  if (const Instant until = probation_.until(peer.address); peer.inbound() && until > context.now) {
    peer.ask_from = until;
  }
  peers_.SetReady(peer, context.now);
  context.out.Note(PeerConnected{peer.address, peer.inbound()});
  if (peer.extended) {
    wire::ExtendedHandshake extended;
    extended.reqq = config_.limits.waiting_requests;
    if (config_.listen.port != 0) extended.port = config_.listen.port;
    extended.client = kClientName;
    extended.your_ip = std::string(IpBytes(peer.address));
    extended.metadata_id = wire::kMetadataId;
    extended.metadata_size = metadata_->size(*under);
    if (exchanges_peers()) extended.peer_exchange_id = wire::kPeerExchangeId;
    peers_.Queue(peer, extended);
  }
  if (peer.fast && verified().none()) {
    peers_.Queue(peer, wire::HaveNone{});
  } else if (peer.fast && verified().all()) {
    peers_.Queue(peer, wire::HaveAll{});
  } else if (!verified().none()) {
    peers_.Queue(peer, wire::Bitfield{Slice::Own(verified().ToBitfield())});
  }
  peers_.Touch(peer, context);
  // Those of whom only peers have told wait until others have answered.
  if (!peer.inbound()) Dial(context);
}

// Two links to one peer: both ends keep the one that the smaller peer id has opened, except that a link
// on which the peer owes blocks never wins. False: the newcomer has been closed.
bool Client::Engine::KeepNewcomer(Peer& newcomer, Ctx& context) {
  peers_.EachReady([&](Peer& other) {
    if (newcomer.state == Peer::State::kGone || &other == &newcomer || other.id != newcomer.id ||
        other.address.ip != newcomer.address.ip) {
      return;
    }
    const bool keep_outbound = self_id_ < newcomer.id;
    // It dials anew only when its old connection is gone, whether or not we have noticed.
    const bool redialled = other.inbound() && newcomer.inbound();
    const bool crossed = other.inbound() != newcomer.inbound() && newcomer.inbound() != keep_outbound;
    if (other.snubbed || redialled || crossed) {
      Disconnect(other, "connected twice", true, context);
    } else {
      Disconnect(newcomer, "connected already", true, context);
    }
  });
  return newcomer.state != Peer::State::kGone;
}

// --- bytes ---

void Client::Engine::Handle(const LinkReceived& input, Ctx& context) {
  Peer* peer = peers_.Find(input.link);
  if (peer == nullptr) return;
  peer->last_received = context.now;
  peer->decoder.Feed(input.bytes);
  using Result = wire::Decoder::Result;
  Result result = Result::kMessage;
  if (peer->state == Peer::State::kHandshaking) {
    wire::Handshake handshake;
    result = peer->decoder.NextHandshake(handshake);
    if (result == Result::kMessage) Greet(*peer, handshake, context);
  }
  wire::Message message;
  while (result == Result::kMessage && peer->state == Peer::State::kReady) {
    result = peer->decoder.Next(message);
    if (result == Result::kMessage) OnMessage(*peer, message, context);
  }
  if (result == Result::kError && peer->state != Peer::State::kGone) {
    return ProtocolError(*peer, peer->decoder.error(), context);
  }
  if (peer->state == Peer::State::kReady) downloads_->Refill(*peer, context);
}

void Client::Engine::Handle(const LinkSent& input, Ctx& context) {
  Peer* peer = peers_.Find(input.link);
  if (peer == nullptr) return;
  peer->sent_total = std::min(input.total, peer->queued_total);
  peer->CountSent(context.now);
  uploads_->Serve(*peer, context);
}

void Client::Engine::Handle(const LinkDown& input, Ctx& context) {
  Peer* peer = peers_.Find(input.link);
  if (peer != nullptr) Leave(*peer, input.why, false, context);
}

// --- deadlines ---

void Client::Engine::PeerTimers(Ctx& context) {
  const Timing& timing = config_.timing;
  peers_.ForgetDeadline();
  if (downloads_) {
    downloads_->ExpireAlone(timing.exclusive_limit, context);
    downloads_->Wake(context);
  }
  peers_.Each([&](Peer& peer) {
    if (peer.state != Peer::State::kReady) {
      if (context.now >= peer.since + timing.connect_timeout) {
        return Disconnect(peer, "no handshake in time", true, context);
      }
    } else if (context.now >= peer.last_received + timing.idle_limit) {
      return Disconnect(peer, "silent for too long", true, context);
    } else {
      const bool owes = context.now >= peers_.SnubDeadline(peer);
      if (owes && !downloads_->Snub(peer, context)) {
        return Disconnect(peer, "does not send what it has", true, context);
      }
      if (context.now >= peer.last_sent + timing.keepalive_after) {
        peers_.Queue(peer, wire::KeepAlive{});
        peer.last_sent = context.now;
      }
    }
    if (peer.ask_from != Instant{} && context.now >= peer.ask_from) {
      peer.ask_from = {};
      downloads_->Refill(peer, context);
    }
    if (context.now >= peer.refused.until) downloads_->AskAgain(peer, context);
    if (context.now >= peer.LeadDeadline()) downloads_->LeadIsOver(peer);
    if (peer.state == Peer::State::kReady) TellPeers(peers_, peer, context.now);
    peers_.Touch(peer, context);
  });
  if (uploads_) {
    uploads_->Spread(context);
    uploads_->Wake(context);
  }
}

}  // namespace bt::swarm
