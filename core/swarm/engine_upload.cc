// Serving: a peer's requests wait in a bounded queue and leave as SendFile effects while the link has
// room. Only pieces in verified_ are ever sent.

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "core/swarm/engine.h"

namespace bt::swarm {

void Client::Engine::OnRequest(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  if (span.piece.value() >= metainfo_->piece_count() || span.length == 0 || span.length > kBlockSize ||
      span.offset >= metainfo_->piece_size(span.piece.value())) {
    return ProtocolError(peer, "request outside the content", context);
  }
  // BEP 52 hashes whole blocks: who knows the content as v2 only (libtorrent) asks for the last one whole
  // too.
  const bool past_end = span.length > metainfo_->piece_size(span.piece.value()) - span.offset;
  const bool padded = peer.under.pads_last_block() && span.offset % kBlockSize == 0 &&
                      span.length == kBlockSize && span.piece.value() + 1 == metainfo_->piece_count();
  const bool serve = !peer.am_choking && verified_.Has(span.piece) && peer.asked.size() < kAdvertisedReqq &&
                     (!past_end || padded);
  if (!serve) {
    if (peer.fast) Queue(peer, wire::Reject{span});
    return;
  }
  peer.asked.push_back(span);
  Serve(peer, context);
}

void Client::Engine::OnCancel(Peer& peer, const wire::BlockSpan& span) {
  const auto found = std::find(peer.asked.begin(), peer.asked.end(), span);
  if (found == peer.asked.end()) return;
  peer.asked.erase(found);
  // BEP 6: a cancelled request is still answered.
  if (peer.fast) Queue(peer, wire::Reject{span});
}

void Client::Engine::Serve(Peer& peer, Ctx& context) {
  while (!peer.asked.empty() && peer.queued_total - peer.sent_total < kLinkQueueBytes) {
    const wire::BlockSpan span = peer.asked.front();
    peer.asked.pop_front();
    if (!verified_.Has(span.piece)) {
      if (peer.fast) Queue(peer, wire::Reject{span});
      continue;
    }
    Flush(peer, context);
    if (peer.state == Peer::State::kGone) return;
    SendBlock(peer, span, context);
  }
}

// Of a block that reaches past the content (see OnRequest) what the file has, and zeros.
void Client::Engine::SendBlock(Peer& peer, const wire::BlockSpan& span, Ctx& context) {
  const uint32_t held = std::min(span.length, metainfo_->piece_size(span.piece.value()) - span.offset);
  context.out.Link(
      LinkSendFile{peer.link, Slice::Own(wire::BlockHeader(span.piece, span.offset, span.length)),
                   kContentFile, uint64_t{span.piece.value()} * metainfo_->piece_length + span.offset, held});
  if (held < span.length) {
    context.out.Link(LinkSendBytes{peer.link, Slice::Own(std::string(span.length - held, '\0'))});
  }
  peer.queued_total += wire::kBlockHeaderSize + span.length;
  peer.taken += span.length;
  peer.last_sent = context.now;
  totals_.bytes_sent += held;
}

// The file has changed under us, or its disk fails: what cannot be read is not had, until it is proven anew.
void Client::Engine::Handle(const ReadFailed& input, Ctx& context) {
  if (!speaking() || metainfo_ == nullptr || input.length == 0) return;
  const uint64_t piece_length = metainfo_->piece_length;
  const uint64_t last = std::min(input.offset + input.length, metainfo_->length) - 1;
  PieceMap lost(verified_.size());
  for (uint64_t piece = input.offset / piece_length; piece <= last / piece_length; ++piece) {
    const PieceIndex index(static_cast<uint32_t>(piece));
    if (!verified_.Remove(index)) continue;
    lost.Add(index);
    context.out.Note(PieceUnusable{index, std::string(input.status.message())});
  }
  if (lost.none()) return;
  digest_.Add(uint64_t{lost.count()});
  tracker_.HoldChanged();
  if (config_.role == Role::kDownload && phase_ != Phase::kOffering) {
    return Fail(absl::StrCat("cannot read the download back: ", input.status.message()), context);
  }
  if (config_.skip_verify) return;
  if (!check_) check_.emplace(*metainfo_, false);
  check_->Add(lost, context);
}

}  // namespace bt::swarm
