#include "sim/scenarios/wire_rules.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/overloaded.h"

namespace bt::sim {

namespace wire = swarm::wire;

std::string WireRules::OnHandshake(const wire::Handshake& handshake) const {
  const std::vector<InfoHash> hashes = metainfo_.AllInfoHashes();
  const auto found = std::find(hashes.begin(), hashes.end(), handshake.info_hash);
  if (found == hashes.end()) return "shakes hands for another content";
  if (!handshake.fast || !handshake.extended) return "does not say that it speaks BEP 6 and BEP 10";
  // BEP 52: under the v1 hash of what has a v2 hash too there is an upgrade.
  const Sha1Digest v1 = metainfo_.InfoHashV1(TorrentFormat::kHybrid);
  if (std::equal(v1.begin(), v1.end(), handshake.info_hash.begin(), handshake.info_hash.end()) !=
      handshake.v2)
    return "offers an upgrade to v2 where there is none, or none where there is one";
  return {};
}

bool WireRules::IsAsked(const wire::BlockSpan& block) const {
  return std::find(asked_.begin(), asked_.end(), block) != asked_.end();
}

bool WireRules::Answered(const wire::BlockSpan& block) {
  const auto found = std::find(asked_.begin(), asked_.end(), block);
  if (found == asked_.end()) return false;
  asked_.erase(found);
  return true;
}

std::string WireRules::Told(PieceMap pieces) {
  if (std::exchange(told_, true)) return "says a second time what it has";
  if (!pieces_.none()) return "says what it has in whole after it has said it in part";
  pieces_ = std::move(pieces);
  return {};
}

std::string WireRules::On(const wire::Have& have) {
  if (have.piece.value() >= pieces_.size()) return "has a piece that does not exist";
  pieces_.Add(have.piece);
  return {};
}

std::string WireRules::SetChoked(bool choked) {
  if (std::exchange(choked_, choked) == choked) return choked ? "chokes twice" : "unchokes twice";
  // Without BEP 6 nobody says which requests have met a choke.
  if (choked && !fast_) asked_.clear();
  return {};
}

std::string WireRules::On(const wire::Piece& piece) {
  const wire::BlockSpan block{piece.piece, piece.offset, static_cast<uint32_t>(piece.bytes.size())};
  if (!Answered(block) && fast_) return "sends a block that it was not asked for, or sends it again";
  const uint64_t offset = uint64_t{piece.piece.value()} * metainfo_.piece_length + piece.offset;
  if (content_.view().substr(offset, piece.bytes.size()) != piece.bytes.view()) return "sends wrong bytes";
  return {};
}

std::string WireRules::OnMessage(const wire::Message& message) {
  return std::visit(
      Overloaded{
          [&](const wire::Choke&) { return SetChoked(true); },
          [&](const wire::Unchoke&) { return SetChoked(false); },
          [](const wire::Interested&) { return std::string("is interested in who has nothing"); },
          [](const wire::NotInterested&) {
            return std::string("says that it is not interested, and never was");
          },
          [](const wire::Request&) { return std::string("asks somebody who has nothing"); },
          [](const wire::Cancel&) { return std::string("cancels what it never asked for"); },
          [&](const wire::Have& have) { return On(have); },
          [&](const wire::Bitfield& bitfield) {
            auto map = PieceMap::FromBitfield(bitfield.bits.view(), metainfo_.piece_count());
            return map ? Told(*std::move(map)) : std::string("sends a bitfield that is none");
          },
          [&](const wire::HaveAll&) {
            return fast_ ? Told(PieceMap::All(metainfo_.piece_count())) : std::string("speaks BEP 6 unasked");
          },
          [&](const wire::HaveNone&) {
            return fast_ ? Told(PieceMap(metainfo_.piece_count())) : std::string("speaks BEP 6 unasked");
          },
          [&](const wire::Suggest& suggest) {
            if (!fast_) return std::string("speaks BEP 6 unasked");
            return std::string(pieces_.Has(suggest.piece) ? "" : "suggests a piece that it has not");
          },
          [&](const wire::Reject& reject) {
            if (!fast_) return std::string("speaks BEP 6 unasked");
            return std::string(Answered(reject.block) ? "" : "refuses what it was not asked for");
          },
          [&](const wire::Piece& piece) { return On(piece); },
          [&](const wire::ExtendedHandshake& extended) {
            if (extended.reqq) reqq_ = extended.reqq;
            return std::string();
          },
          [](const auto&) { return std::string(); },
      },
      message);
}

}  // namespace bt::sim
