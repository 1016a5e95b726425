// MetadataFetch: peers, and what is put together of what they send.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/overloaded.h"
#include "core/swarm/metadata_fetch.h"
#include "core/torrent/bencode.h"
#include "core/torrent/sha1.h"

namespace bt::swarm {
namespace {

constexpr Duration kIdle = Seconds(60);  // a peer that is of no use for so long is let go
constexpr Duration kPatienceMax = Seconds(160);

}  // namespace

// --- links ---

void MetadataFetch::Dial(Ctx& context) {
  // A tracker that has the torrent itself is asked before any peer.
  if (!TrackersSettled()) return;
  const auto room = static_cast<uint32_t>(kLinks - peers_.size());
  for (const Address& address : book_.TakeDue(context.now, room)) {
    const LinkId link(next_link_++);
    Peer& peer = peers_[link];
    peer.address = address;
    peer.deadline = context.now + config_.timing.connect_timeout;
    context.out.Link(LinkConnect{link, address});
  }
  context.out.Arm(Protocol::Timer::kDial, peers_.size() < kLinks ? book_.next_due() : Instant::Never());
}

void MetadataFetch::Up(LinkId link, Ctx& context) {
  const auto found = peers_.find(link);
  // It has nothing for those who come.
  if (found == peers_.end()) return context.out.Link(LinkClose{link, false});
  Peer& peer = found->second;
  peer.state = Peer::State::kHandshaking;
  peer.dialled = hashes_[book_.attempt(peer.address) % hashes_.size()];
  wire::Handshake handshake;
  handshake.info_hash = peer.dialled.hash;
  handshake.peer_id = self_id_;
  handshake.fast = handshake.extended = true;
  context.out.Link(LinkSendBytes{link, Slice::Own(wire::EncodeHandshake(handshake))});
}

void MetadataFetch::Send(LinkId link, const wire::Message& message, Ctx& context) {
  std::string bytes;
  wire::Append(message, bytes);
  context.out.Link(LinkSendBytes{link, Slice::Own(std::move(bytes))});
}

void MetadataFetch::Bytes(LinkId link, const Slice& bytes, Ctx& context) {
  using Result = wire::Decoder::Result;
  auto found = peers_.find(link);
  if (found != peers_.end()) found->second.decoder.Feed(bytes);
  // What one message brings about may close this link or another one, and the others move in the table then:
  // the peer is looked up for each.
  for (; found != peers_.end(); found = peers_.find(link)) {
    Peer& peer = found->second;
    wire::Handshake handshake;
    wire::Message message;
    const bool greeting = peer.state == Peer::State::kHandshaking;
    const Result result = greeting ? peer.decoder.NextHandshake(handshake) : peer.decoder.Next(message);
    if (result == Result::kNeedMore) return;
    if (result == Result::kError) return Close(link, true, context);
    if (greeting) {
      Greet(link, peer, handshake, context);
    } else {
      OnMessage(link, peer, message, context);
    }
  }
}

void MetadataFetch::Greet(LinkId link, Peer& peer, const wire::Handshake& handshake, Ctx& context) {
  if (handshake.peer_id == self_id_ || handshake.info_hash != peer.dialled.hash || !handshake.extended) {
    return Close(link, true, context);
  }
  book_.Greeted(peer.address);
  peer.state = Peer::State::kReady;
  peer.deadline = context.now + kIdle;
  wire::ExtendedHandshake extended;
  extended.metadata_id = wire::kMetadataId;
  extended.client = "ByteTorrent";
  Send(link, extended, context);
  if (handshake.fast) Send(link, wire::HaveNone{}, context);
}

void MetadataFetch::Close(LinkId link, bool fault, Ctx& context) {
  context.out.Link(LinkClose{link, false});
  Gone(link, fault, context);
}

void MetadataFetch::Gone(LinkId link, bool fault, Ctx& context) {
  const auto found = peers_.find(link);
  if (found == peers_.end()) return;
  const Peer& peer = found->second;
  if (peer.state == Peer::State::kHandshaking) {
    book_.Refused(peer.address, static_cast<uint32_t>(hashes_.size()), !fault, context.now, context.rng);
  } else if (peer.state == Peer::State::kReady && !fault) {
    book_.Lost(peer.address, context.now, context.rng);
  } else {
    book_.Failed(peer.address, context.now, context.rng);
  }
  if (attempt_) attempt_->parts().Free(link);
  if (layers_) layers_->parts().Free(link);
  peers_.erase(found);
}

void MetadataFetch::Convict(const Address& address, const char* why, Ctx& context) {
  std::vector<LinkId> links;
  for (const auto& [link, peer] : peers_) {
    if (peer.address == address) links.push_back(link);
  }
  for (const LinkId link : links) Close(link, true, context);
  book_.Ban(address);
  context.out.Note(PeerBanned{address, why, {}});
}

void MetadataFetch::PeerTimers(Ctx& context) {
  std::vector<LinkId> late;
  for (const auto& [link, peer] : peers_) {
    if (context.now >= peer.deadline) late.push_back(link);
  }
  for (const LinkId link : late) Close(link, true, context);
}

// --- messages ---

void MetadataFetch::OnMessage(LinkId link, Peer& peer, const wire::Message& message, Ctx& context) {
  std::visit(Overloaded{
                 [&](const wire::ExtendedHandshake& handshake) {
                   peer.metadata_id = handshake.metadata_id;
                   peer.size = handshake.metadata_size;
                 },
                 [&](const wire::Metadata& metadata) { OnMetadata(link, peer, metadata, context); },
                 [&](const wire::Hashes& hashes) { OnHashes(link, peer, hashes, context); },
                 [&](const wire::HashReject&) { Close(link, true, context); },
                 [](const auto&) {},
             },
             message);
}

void MetadataFetch::OnMetadata(LinkId link, Peer& peer, const wire::Metadata& message, Ctx& context) {
  using Kind = wire::Metadata::Kind;
  if (message.kind == Kind::kRequest && peer.metadata_id != 0) {
    wire::Metadata reject;
    reject.id = peer.metadata_id;
    reject.kind = Kind::kReject;
    reject.piece = message.piece;
    return Send(link, reject, context);
  }
  if (message.kind == Kind::kReject && peer.busy) return Close(link, true, context);
  // Also what comes after its attempt was given up.
  if (message.kind != Kind::kData || !attempt_ || !attempt_->Arrived(link, message)) return;
  peer.busy = false;
  peer.deadline = context.now + kIdle;
  senders_[link] = peer.address;
  if (attempt_->complete()) InfoComplete(context);
}

void MetadataFetch::OnHashes(LinkId link, Peer& peer, const wire::Hashes& hashes, Ctx& context) {
  const auto verdict = layers_ ? layers_->Arrived(link, hashes) : LayerAssembly::Verdict::kNotAskedFor;
  switch (verdict) {
    case LayerAssembly::Verdict::kNotAskedFor:
      return Close(link, true, context);
    case LayerAssembly::Verdict::kWrong: {
      const Address liar = peer.address;
      return Convict(liar, "sent hashes that are not the torrent's", context);
    }
    case LayerAssembly::Verdict::kRight:
      break;
  }
  peer.busy = false;
  peer.deadline = context.now + kIdle;
  if (layers_->complete()) Conclude(layers_->PieceLayers(), context);
}

// --- putting together ---

bool MetadataFetch::Eligible(LinkId link, const Peer& peer) const {
  if (peer.state != Peer::State::kReady) return false;
  if (layers_) return peer.dialled.v2;
  if (peer.metadata_id == 0 || peer.size == 0 || peer.size > kTorrentFileLimit) return false;
  return !attempt_ || (peer.size == attempt_->size() && (!alone_mode_ || link == alone_));
}

// A size that peers have told, each in its turn: the next larger one after the one before, and from the
// smallest again. Alone, each peer in its turn.
void MetadataFetch::ChooseAttempt(Ctx& context) {
  if (!info_.empty()) return;
  const auto helps = [&](const auto& entry) { return Eligible(entry.first, entry.second); };
  const bool alive = attempt_ && std::any_of(peers_.begin(), peers_.end(), helps);
  if (alive && context.now < attempt_until_) return;
  std::optional<InfoAssembly> before = std::exchange(attempt_, std::nullopt);
  const Peer* best = nullptr;
  LinkId best_link;
  const auto rank = [&](LinkId link, const Peer& peer) {
    const bool later = alone_mode_ ? link > alone_ : peer.size > last_size_;
    return std::make_pair(!later, alone_mode_ ? link.value() : uint64_t{peer.size});
  };
  for (const auto& [link, peer] : peers_) {
    if (!Eligible(link, peer)) continue;
    if (best != nullptr && rank(best_link, *best) <= rank(link, peer)) continue;
    best = &peer;
    best_link = link;
  }
  if (best == nullptr) return;
  const bool same = before && before->size() == best->size && (!alone_mode_ || alone_ == best_link);
  patience_ = before ? std::min(patience_ * 2, kPatienceMax) : patience_;
  attempt_until_ = context.now + patience_;
  last_size_ = best->size;
  alone_ = best_link;
  if (same) {  // nobody else offers another: it goes on
    attempt_ = std::move(before);
    return;
  }
  senders_.clear();
  for (auto& [link, peer] : peers_) peer.busy = false;
  attempt_.emplace(best->size);
}

void MetadataFetch::Request(Ctx& context) {
  for (auto& [link, peer] : peers_) {
    if (peer.busy || !Eligible(link, peer)) continue;
    if (layers_) {
      const std::optional<uint32_t> part = layers_->parts().Ask(link);
      if (!part) continue;
      Send(link, wire::HashRequest{layers_->SpanOf(*part)}, context);
    } else if (attempt_) {
      const std::optional<uint32_t> part = attempt_->parts().Ask(link);
      if (!part) continue;
      wire::Metadata request;
      request.id = peer.metadata_id;
      request.piece = *part;
      Send(link, request, context);
    } else {
      continue;
    }
    peer.busy = true;
    peer.deadline = context.now + config_.timing.snub_after;
  }
}

void MetadataFetch::InfoComplete(Ctx& context) {
  const std::string bytes = attempt_->bytes();
  const std::vector<LinkId> senders = attempt_->parts().senders();
  attempt_.reset();
  const Magnet& magnet = *config_.magnet;
  const bool v1 = magnet.v1 && Sha1(bytes) == *magnet.v1;
  const bool v2 = magnet.v2 && Sha256(bytes) == *magnet.v2;
  if (!v1 && !v2) {
    if (senders.size() > 1) {
      alone_mode_ = true;
      return;
    }
    return Convict(senders_.at(senders.front()), "sent an info dictionary that is not the torrent's",
                   context);
  }
  if ((magnet.v1 && !v1) || (magnet.v2 && !v2)) {
    return Fail("the two info-hashes of the magnet link are of two torrents", FailureCause::kOther, context);
  }
  info_ = bytes;
  std::vector<MissingLayer> missing = LayersOf(info_);
  if (missing.empty()) return Conclude("de", context);
  layers_.emplace(std::move(missing));
  hashes_ = {{CutToInfoHash(Sha256(info_)), true}};
  std::vector<LinkId> v1_links;
  for (auto& [link, peer] : peers_) {
    peer.busy = false;
    if (!peer.dialled.v2) v1_links.push_back(link);
  }
  // They are met again under the v2 info-hash, where hashes may be asked for.
  for (const LinkId link : v1_links) {
    const Address address = peers_.at(link).address;
    Close(link, false, context);
    book_.Erase(address);
    book_.Add(address, AddressBook::Source::kTracker);
  }
}

void MetadataFetch::Conclude(const std::string& piece_layers, Ctx& context) {
  std::string file;
  bencode::Writer(file).BeginDictionary().Key("info").Raw(info_).Key("piece layers").Raw(piece_layers).End();
  absl::StatusOr<TorrentFile> torrent = ParseTorrent(file);
  if (!torrent.ok()) {
    return Fail(absl::StrCat("the torrent of the magnet link cannot be used: ",
                             std::string(torrent.status().message())),
                FailureCause::kOther, context);
  }
  Finish({std::move(torrent->metainfo), torrent->format, Slice::Own(std::move(info_)), {}}, context);
}

}  // namespace bt::swarm
