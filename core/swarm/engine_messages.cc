// What each message of the peer wire does.

#include <algorithm>
#include <utility>

#include "core/base/overloaded.h"
#include "core/swarm/engine.h"

namespace bt::swarm {
namespace {

constexpr uint64_t kMetadataQueueLimit = 1 << 20;  // bytes queued at a peer; beyond, its requests are refused

}  // namespace

void Client::Engine::OnMessage(Peer& peer, const wire::Message& message, Ctx& context) {
  std::visit(
      Overloaded{
          [&](const wire::Piece& piece) { OnBlock(peer, piece, context); },
          [&](const wire::Request& request) {
            if (!uploads_->OnRequest(peer, request.block, context)) {
              ProtocolError(peer, "request outside the content", context);
            }
          },
          [&](const wire::Cancel& cancel) { uploads_->OnCancel(peer, cancel.block); },
          [&](const wire::Have& have) { OnHave(peer, have.piece, context); },
          [&](const wire::Reject& reject) { OnReject(peer, reject.block, context); },
          [&](const wire::KeepAlive&) {},
          [&](const wire::Choke&) {
            peer.peer_choking = true;
            downloads_->Choked(peer);
          },
          [&](const wire::Unchoke&) { peer.peer_choking = false; },
          [&](const wire::Interested&) { uploads_->OnInterest(peer, true, context); },
          [&](const wire::NotInterested&) { uploads_->OnInterest(peer, false, context); },
          [&](const wire::Bitfield& bitfield) {
            auto pieces = PieceMap::FromBitfield(bitfield.bits.view(), torrent_->metainfo().piece_count());
            if (!pieces) return ProtocolError(peer, "bitfield of wrong length or with spare bits", context);
            OnPieces(peer, *std::move(pieces), context);
          },
          [&](const wire::HaveAll&) {
            OnPieces(peer, PieceMap::All(torrent_->metainfo().piece_count()), context);
          },
          [&](const wire::HaveNone&) {
            OnPieces(peer, PieceMap(torrent_->metainfo().piece_count()), context);
          },
          [&](const wire::ExtendedHandshake& handshake) { OnExtended(peer, handshake, context); },
          [&](const wire::Metadata& metadata) { OnMetadata(peer, metadata); },
          [&](const wire::PeerExchange& exchange) { OnExchange(peer, exchange, context); },
          [&](const wire::HashRequest& request) { OnHashRequest(peer, request.span, context); },
          [&](const wire::Hashes&) {
            ProtocolError(peer,
                          peer.under.v2() ? "hashes nobody asked for" : "hash message on a v1 connection",
                          context);
          },
          [&](const wire::HashReject&) {
            ProtocolError(
                peer, peer.under.v2() ? "hash reject nobody asked for" : "hash message on a v1 connection",
                context);
          },
          [&](const wire::Suggest& suggest) { OnSuggest(peer, suggest.piece, context); },
          [&](const wire::Ignored&) { ++totals_.messages_ignored; },
      },
      message);
}

void Client::Engine::OnBlock(Peer& peer, const wire::Piece& piece, Ctx& context) {
  switch (downloads_->OnBlock(peer, piece, context)) {
    case Downloads::Arrival::kAskedFor:
      return book_.Worked(peer.address);
    case Downloads::Arrival::kNotAskedFor:
      return;
    case Downloads::Arrival::kFloodOfThose:
      return ProtocolError(peer, "blocks nobody asked for", context);
    case Downloads::Arrival::kMalformed:
      return ProtocolError(peer, "a block of a form nobody asked for", context);
  }
}

void Client::Engine::OnExtended(Peer& peer, const wire::ExtendedHandshake& handshake, Ctx& context) {
  if (handshake.reqq) peer.reqq = std::max(1u, *handshake.reqq);
  if (handshake.port && peer.inbound()) peer.listens.port = *handshake.port;
  peer.metadata_id = handshake.metadata_id;
  if (!exchanges_peers()) return;
  peer.exchange.Begin(handshake.peer_exchange_id, context.now);
  peers_.Touch(peer, context);
}

// BEP 9. This client has its torrent and asks for none.
void Client::Engine::OnMetadata(Peer& peer, const wire::Metadata& message) {
  if (message.kind != wire::Metadata::Kind::kRequest || peer.metadata_id == 0) {
    ++totals_.messages_ignored;
    return;
  }
  wire::Metadata answer;
  answer.kind = wire::Metadata::Kind::kReject;
  answer.piece = message.piece;
  // What it does not read is not piled up.
  if (peer.queued_total + peer.outgoing.size() - peer.sent_total < kMetadataQueueLimit) {
    answer = metadata_->Answer(message, peer.under, peer.served);
  }
  answer.id = peer.metadata_id;
  peers_.Queue(peer, answer);
}

void Client::Engine::OnExchange(Peer& peer, const wire::PeerExchange& exchange, Ctx& context) {
  if (!exchanges_peers() || phase_ != Phase::kDownloading || !peer.exchange.Hears(context.now)) {
    ++totals_.messages_ignored;
    return;
  }
  for (const wire::PeerExchange::Added& added : exchange.added) {
    book_.Add(added.peer, AddressBook::Source::kPeers);
  }
  Dial(context);
}

void Client::Engine::OnHashRequest(Peer& peer, const wire::HashSpan& span, Ctx& context) {
  if (!peer.under.v2()) return ProtocolError(peer, "hash message on a v1 connection", context);
  const std::optional<wire::Hashes> hashes = metadata_->Answer(span, peer.served);
  if (!hashes) return peers_.Queue(peer, wire::HashReject{span});
  peers_.Queue(peer, *hashes);
}

// A bitfield, also a repeated one (aria2 sends such), replaces what was known.
void Client::Engine::OnPieces(Peer& peer, PieceMap pieces, Ctx& context) {
  downloads_->Disown(peer);
  peer.pieces = std::move(pieces);
  peer.refused.TakeAll();
  downloads_->Adopt(peer);
  for (uint32_t i = 0; i < peer.pieces.size(); ++i) uploads_->PeerHas(peer, PieceIndex(i), context);
  uploads_->Spread(context);
  PartIfBothComplete(peer, context);
}

void Client::Engine::OnHave(Peer& peer, PieceIndex piece, Ctx& context) {
  if (piece.value() >= verified().size()) return ProtocolError(peer, "have of no such piece", context);
  if (!peer.pieces.Add(piece)) return;
  downloads_->PeerHas(peer, piece);
  uploads_->PeerHas(peer, piece, context);
  uploads_->Spread(context);
  PartIfBothComplete(peer, context);
}

// Two seeders have nothing to say to each other.
void Client::Engine::PartIfBothComplete(Peer& peer, Ctx& context) {
  if (phase_ != Phase::kOffering || !verified().all() || !peer.pieces.all()) return;
  Disconnect(peer, "both complete", false, context);
}

void Client::Engine::OnReject(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  if (!peer.fast) return ProtocolError(peer, "reject without the fast extension", context);
  if (span.piece.value() >= verified().size() || span.offset % kBlockSize != 0) return;
  downloads_->Rejected(peer, {span.piece, span.offset / kBlockSize}, context);
}

void Client::Engine::OnSuggest(Peer& peer, PieceIndex piece, Ctx& context) {
  if (!peer.fast) return ProtocolError(peer, "suggestion without the fast extension", context);
  if (piece.value() >= verified().size()) return ProtocolError(peer, "suggests no such piece", context);
  downloads_->Suggested(peer, piece, context);
}

}  // namespace bt::swarm
