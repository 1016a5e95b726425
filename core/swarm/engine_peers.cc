// The engine's links: who is connected, dialled, greeted, choked, cut off.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/swarm/choker.h"
#include "core/swarm/engine.h"

namespace bt::swarm {
namespace {

constexpr std::string_view kClientName = "ByteTorrent";

std::string IpBytes(const Address& address) {
  const char* bytes = reinterpret_cast<const char*>(address.ip.data());
  return address.is_v4() ? std::string(bytes + 12, 4) : std::string(bytes, 16);
}

}  // namespace

// --- the table of peers ---

Peer* Client::Engine::FindPeer(LinkId link) {
  const auto found = slot_of_.find(link);
  return found == slot_of_.end() ? nullptr : peers_[found->second].get();
}

Peer& Client::Engine::AddPeer(LinkId link, const Address& address, Instant now) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<Picker::PeerSlot>(peers_.size()));
    peers_.emplace_back();
  }
  const Picker::PeerSlot slot = free_slots_.back();
  free_slots_.pop_back();
  auto peer = std::make_unique<Peer>();
  peer->slot = slot;
  peer->link = link;
  peer->address = peer->listens = address;
  if (peer->inbound()) peer->listens.port = 0;
  peer->since = peer->last_received = peer->last_sent = peer->rate_since = now;
  if (metainfo_ != nullptr) peer->pieces = PieceMap(metainfo_->piece_count());
  slot_of_[link] = slot;
  if (!peer->inbound()) ++dialled_;
  peers_[slot] = std::move(peer);
  return *peers_[slot];
}

void Client::Engine::RemovePeer(Peer& peer, Ctx& context) {
  if (peer.state == Peer::State::kReady) {
    --ready_;
    if (!peer.am_choking) --unchoked_;
    GiveUpRequests(peer, false);
    if (picker_) {
      picker_->Disown(peer.slot);
      picker_->RemovePeer(peer.pieces);
    }
    refill_all_ = true;
    // One that leaves an offer without having all may still wait for the rest.
    if (phase_ == Phase::kDownloading || (phase_ == Phase::kOffering && !peer.pieces.all())) {
      tracker_.LookSoon(context.now);
    }
  }
  peer.state = Peer::State::kGone;
  if (!peer.inbound()) --dialled_;
  slot_of_.erase(peer.link);
  free_slots_.push_back(peer.slot);
  // Callers up the stack still look at it; EndOfStep lets it go.
  departed_.push_back(std::move(peers_[peer.slot]));
}

void Client::Engine::Disconnect(Peer& peer, std::string why, bool fault, Ctx& context) {
  context.out.Link(LinkClose{peer.link, false});
  Leave(peer, std::move(why), fault, context);
}

// The link is gone or being closed: notes, the book, the tables, and someone else's turn.
void Client::Engine::Leave(Peer& peer, std::string why, bool fault, Ctx& context) {
  if (peer.state == Peer::State::kReady) context.out.Note(PeerDisconnected{peer.address, std::move(why)});
  if (!peer.inbound()) FreeAddress(peer, fault, context);
  RemovePeer(peer, context);
  FillSlots(context);
  Dial(context);
}

// What becomes of the address of a peer that we dialled and that is gone.
void Client::Engine::FreeAddress(const Peer& peer, bool fault, Ctx& context) {
  if (peer.state == Peer::State::kHandshaking) {
    book_.Refused(peer.address, info_hashes_.dialled(), !fault, context.now, context.rng);
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

// --- connecting ---

void Client::Engine::Dial(Ctx& context) {
  if (!Dials()) return context.out.Disarm(Timer::kDial);
  const uint32_t links = static_cast<uint32_t>(slot_of_.size());
  const uint32_t room = std::min(config_.connection_limit - std::min(config_.connection_limit, links),
                                 config_.dial_limit - std::min(config_.dial_limit, dialled_));
  for (const Address& address : book_.TakeDue(context.now, room)) {
    if (ConnectedTo(address)) {  // it was faster
      book_.Failed(address, context.now, context.rng);
      continue;
    }
    const LinkId link(next_link_++);
    context.out.Link(LinkConnect{link, address});
    Touch(AddPeer(link, address, context.now), context);
  }
  // Without room the next departure dials.
  const Instant next = dialled_ < config_.dial_limit && slot_of_.size() < config_.connection_limit
                           ? book_.next_due()
                           : Instant::Never();
  if (next == Instant::Never()) {
    context.out.Disarm(Timer::kDial);
  } else {
    context.out.Arm(Timer::kDial, next);
  }
}

// An inbound peer's word for where it listens is enough to leave it in peace there: under its own IP address
// it can keep us from nobody but its neighbours.
bool Client::Engine::ConnectedTo(const Address& address) const {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& peer) {
    return peer != nullptr && peer->state == Peer::State::kReady && peer->listens == address;
  });
}

void Client::Engine::Handle(const LinkUp& input, Ctx& context) {
  const bool inbound = (input.link.value() & kInboundLink) != 0;
  if (!inbound) {
    Peer* peer = FindPeer(input.link);
    if (peer == nullptr || peer->state != Peer::State::kConnecting) return;
    peer->state = Peer::State::kHandshaking;
    return SendHandshake(*peer, info_hashes_.ToDial(book_.attempt(peer->address)));
  }
  const bool welcome = speaking() && metainfo_ != nullptr && slot_of_.size() < config_.connection_limit &&
                       !book_.banned(input.peer);
  if (!welcome) return context.out.Link(LinkClose{input.link, false});
  Peer& peer = AddPeer(input.link, input.peer, context.now);
  peer.state = Peer::State::kHandshaking;
  Touch(peer, context);
}

void Client::Engine::SendHandshake(Peer& peer, const InfoHashes::Known& under) {
  wire::Handshake handshake;
  handshake.info_hash = under.hash;
  handshake.peer_id = self_id_;
  handshake.fast = handshake.extended = true;
  handshake.v2 = under.offers_upgrade();
  if (peer.outgoing.empty()) unflushed_.push_back(peer.slot);
  peer.outgoing.append(wire::EncodeHandshake(handshake));
}

// Its handshake is here. Ours is on its way to those we dialled, and answers the others.
void Client::Engine::Greet(Peer& peer, const wire::Handshake& handshake, Ctx& context) {
  const InfoHashes::Known* under = info_hashes_.Find(handshake.info_hash);
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
  peer.state = Peer::State::kReady;
  peer.since = context.now;
  ++ready_;
  context.out.Note(PeerConnected{peer.address, peer.inbound()});
  if (peer.extended) {
    wire::ExtendedHandshake extended;
    extended.reqq = kAdvertisedReqq;
    if (config_.listen.port != 0) extended.port = config_.listen.port;
    extended.client = kClientName;
    extended.your_ip = IpBytes(peer.address);
    Queue(peer, extended);
  }
  if (peer.fast && verified_.none()) {
    Queue(peer, wire::HaveNone{});
  } else if (peer.fast && verified_.all()) {
    Queue(peer, wire::HaveAll{});
  } else if (!verified_.none()) {
    Queue(peer, wire::Bitfield{Slice::Own(verified_.ToBitfield())});
  }
  Touch(peer, context);
}

// Two links to one peer: both ends keep the one that the smaller peer id has opened, except that a link
// on which the peer owes blocks never wins. False: the newcomer has been closed.
bool Client::Engine::KeepNewcomer(Peer& newcomer, Ctx& context) {
  for (size_t i = 0; i < peers_.size(); ++i) {
    Peer* other = peers_[i].get();
    if (other == nullptr || other == &newcomer || other->state != Peer::State::kReady ||
        other->id != newcomer.id || other->address.ip != newcomer.address.ip) {
      continue;
    }
    const bool keep_outbound = self_id_ < newcomer.id;
    // It dials anew only when its old connection is gone, whether or not we have noticed.
    const bool redialled = other->inbound() && newcomer.inbound();
    const bool crossed = other->inbound() != newcomer.inbound() && newcomer.inbound() != keep_outbound;
    const bool newcomer_wins = other->snubbed || redialled || crossed;
    if (!newcomer_wins) {
      Disconnect(newcomer, "connected already", true, context);
      return false;
    }
    Disconnect(*other, "connected twice", true, context);
  }
  return newcomer.state != Peer::State::kGone;
}

// --- bytes ---

void Client::Engine::Handle(const LinkReceived& input, Ctx& context) {
  Peer* peer = FindPeer(input.link);
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
  if (peer->state == Peer::State::kReady) Refill(*peer, context);
}

void Client::Engine::Flush(Peer& peer, Ctx& context) {
  if (peer.outgoing.empty()) return;
  peer.queued_total += peer.outgoing.size();
  peer.last_sent = context.now;
  context.out.Link(LinkSendBytes{peer.link, Slice::Own(std::move(peer.outgoing))});
  peer.outgoing.clear();
  if (peer.queued_total - peer.sent_total > kLinkQueueHardLimit) {
    Disconnect(peer, "does not read what it asks for", true, context);
  }
}

void Client::Engine::Handle(const LinkSent& input, Ctx& context) {
  Peer* peer = FindPeer(input.link);
  if (peer == nullptr) return;
  peer->sent_total = std::min(input.total, peer->queued_total);
  Serve(*peer, context);
}

void Client::Engine::Handle(const LinkDown& input, Ctx& context) {
  Peer* peer = FindPeer(input.link);
  if (peer != nullptr) Leave(*peer, input.why, false, context);
}

// --- deadlines ---

Instant Client::Engine::PeerDeadline(const Peer& peer) const {
  const Timing& timing = config_.timing;
  if (peer.state != Peer::State::kReady) return peer.since + timing.connect_timeout;
  Instant deadline =
      std::min(peer.last_sent + timing.keepalive_after, peer.last_received + timing.idle_limit);
  if (!peer.requests.empty()) deadline = std::min(deadline, peer.waiting_since + timing.snub_after);
  return deadline;
}

// The timer is only ever moved earlier here; firing works out the next deadline exactly.
void Client::Engine::Touch(const Peer& peer, Ctx& context) {
  const Instant deadline = PeerDeadline(peer);
  if (deadline >= peers_deadline_) return;
  peers_deadline_ = deadline;
  context.out.Arm(Timer::kPeers, deadline);
}

void Client::Engine::PeerTimers(Ctx& context) {
  const Timing& timing = config_.timing;
  peers_deadline_ = Instant::Never();
  if (picker_ && picker_->any_alone()) {
    picker_->ExpireAlone(context.now - timing.exclusive_limit);
    refill_all_ = true;
  }
  for (size_t i = 0; i < peers_.size(); ++i) {
    Peer* peer = peers_[i].get();
    if (peer == nullptr) continue;
    if (peer->state != Peer::State::kReady) {
      if (context.now >= peer->since + timing.connect_timeout) {
        Disconnect(*peer, "no handshake in time", true, context);
      }
    } else if (context.now >= peer->last_received + timing.idle_limit) {
      Disconnect(*peer, "silent for too long", true, context);
    } else {
      if (!peer->requests.empty() && context.now >= peer->waiting_since + timing.snub_after) {
        Snub(*peer, context);
      }
      if (peer->state == Peer::State::kReady && context.now >= peer->last_sent + timing.keepalive_after) {
        Queue(*peer, wire::KeepAlive{});
        peer->last_sent = context.now;
      }
    }
    if (peer->state != Peer::State::kGone) Touch(*peer, context);
  }
}

// --- choking ---

void Client::Engine::SetChoking(Peer& peer, bool choking) {
  if (peer.am_choking == choking) return;
  peer.am_choking = choking;
  unchoked_ += choking ? -1 : 1;
  if (!choking) return Queue(peer, wire::Unchoke{});
  Queue(peer, wire::Choke{});
  // BEP 6: what was asked before the choke is answered, here with rejects.
  if (peer.fast) {
    for (const wire::BlockSpan& span : peer.asked) Queue(peer, wire::Reject{span});
  }
  peer.asked.clear();
}

// Free slots go to whoever is interested, at once; who keeps a slot is decided by rounds.
void Client::Engine::FillSlots(Ctx& context) {
  bool waiting = false;
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer->state != Peer::State::kReady || !peer->peer_interested ||
        !peer->am_choking) {
      continue;
    }
    if (unchoked_ < config_.upload_slots) {
      SetChoking(*peer, false);
    } else {
      waiting = true;
    }
  }
  if (waiting && !context.out.timers.armed(Timer::kChoke)) {
    context.out.Arm(Timer::kChoke, context.now + config_.timing.choke_interval);
  }
}

void Client::Engine::ChokeRound(Ctx& context) {
  std::vector<ChokeCandidate> candidates;
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer->state != Peer::State::kReady) continue;
    if (peer->peer_interested) candidates.push_back({peer->slot, peer->given, peer->taken, peer->snubbed});
    peer->given = peer->taken = 0;
  }
  const bool contended = candidates.size() > config_.upload_slots;
  const std::vector<uint32_t> chosen =
      ChooseUnchoked(std::move(candidates), config_.upload_slots, complete(), context.rng);
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer->state != Peer::State::kReady) continue;
    SetChoking(*peer, !std::binary_search(chosen.begin(), chosen.end(), peer->slot));
  }
  if (contended) context.out.Arm(Timer::kChoke, context.now + config_.timing.choke_interval);
}

// Two seeders have nothing to say to each other.
void Client::Engine::DropSeeders(Ctx& context) {
  for (size_t i = 0; i < peers_.size(); ++i) {
    Peer* peer = peers_[i].get();
    if (peer != nullptr && peer->state == Peer::State::kReady && peer->pieces.all()) {
      Disconnect(*peer, "both complete", false, context);
    }
  }
}

}  // namespace bt::swarm
