#include "core/swarm/metadata_source.h"

#include <algorithm>
#include <bit>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/bencode.h"
#include "core/torrent/merkle.h"
#include "core/torrent/sha1.h"

namespace bt::swarm {
namespace {

constexpr uint32_t kSpare = 16;  // requests a peer has beyond its share, for what it asks for again

// The piece layer of the file with this root; empty: there is no such file, or it is not longer than a piece.
std::span<const Sha256Digest> LayerUnder(const Metainfo& metainfo, const Sha256Digest& root) {
  if (metainfo.tree.empty()) {
    return root == metainfo.pieces_root ? metainfo.piece_layer : std::span<const Sha256Digest>();
  }
  for (size_t i = 0; i < metainfo.tree.files().size(); ++i) {
    const std::span<const Sha256Digest> layer = metainfo.LayerOf(i);
    if (metainfo.tree.files()[i].pieces_root == root && layer.size() > 1) return layer;
  }
  return {};
}

uint32_t MetadataPieces(uint32_t size) { return (size + wire::kMetadataPiece - 1) / wire::kMetadataPiece; }

}  // namespace

bool SaysPrivate(std::string_view info) {
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(info);
  if (!document.ok()) return false;
  const auto value = document->root().Find("private");
  return value && value->integer().value_or(1) != 0;
}

MetadataSource::MetadataSource(const Metainfo& metainfo, Slice info)
    : metainfo_(metainfo), info_(std::move(info)) {
  if (info_.empty()) {
    may_be_private_ = !metainfo.foreign_info_hashes.empty();
    return;
  }
  info_v1_ = Sha1(info_.view());
  info_v2_ = CutToInfoHash(Sha256(info_.view()));
  may_be_private_ = SaysPrivate(info_.view());
}

MetadataSource::Origin MetadataSource::OriginOf(const InfoHashes::Known& under) const {
  using Kind = InfoHashes::Kind;
  if (!info_.empty() && (under.hash == info_v1_ || under.hash == info_v2_)) return Origin::kReceived;
  const std::vector<InfoHash>& foreign = metainfo_.foreign_info_hashes;
  if (std::find(foreign.begin(), foreign.end(), under.hash) != foreign.end()) return Origin::kNone;
  switch (under.kind) {
    case Kind::kV1:
      return Origin::kV1;
    case Kind::kHybridV1:
    case Kind::kHybridV2:
      return Origin::kHybrid;
    case Kind::kV2:
      return Origin::kV2;
    case Kind::kForeign:
      return Origin::kNone;
  }
  return Origin::kNone;
}

Slice MetadataSource::Bytes(Origin origin) const {
  switch (origin) {
    case Origin::kReceived:
      return info_;
    case Origin::kV1:
      return Slice::Own(metainfo_.InfoBytes(TorrentFormat::kV1));
    case Origin::kV2:
      return Slice::Own(metainfo_.InfoBytes(TorrentFormat::kV2));
    case Origin::kHybrid:
      return Slice::Own(metainfo_.InfoBytes(TorrentFormat::kHybrid));
    case Origin::kNone:
      return {};
  }
  return {};
}

uint32_t MetadataSource::size(const InfoHashes::Known& under) const {
  const Origin origin = OriginOf(under);
  if (origin == Origin::kNone) return 0;
  if (origin == Origin::kReceived) return static_cast<uint32_t>(info_.size());
  auto& size = sizes_[static_cast<size_t>(origin) - static_cast<size_t>(Origin::kV1)];
  if (!size) size = static_cast<uint32_t>(Bytes(origin).size());
  return *size;
}

wire::Metadata MetadataSource::Answer(const wire::Metadata& request, const InfoHashes::Known& under,
                                      Served& served) const {
  wire::Metadata answer;
  answer.piece = request.piece;
  const uint32_t pieces = MetadataPieces(size(under));
  if (request.piece >= pieces || served.metadata >= 2 * pieces + kSpare) {
    answer.kind = wire::Metadata::Kind::kReject;
    return answer;
  }
  ++served.metadata;
  const Slice info = Bytes(OriginOf(under));
  const size_t offset = size_t{request.piece} * wire::kMetadataPiece;
  answer.kind = wire::Metadata::Kind::kData;
  answer.total_size = static_cast<uint32_t>(info.size());
  answer.bytes = info.Sub(offset, std::min<size_t>(wire::kMetadataPiece, info.size() - offset));
  return answer;
}

std::optional<wire::Hashes> MetadataSource::Answer(const wire::HashSpan& request, Served& served) const {
  const std::span<const Sha256Digest> layer = LayerUnder(metainfo_, request.pieces_root);
  const uint32_t height = merkle::HeightFor(metainfo_.piece_length / kBlockSize);
  if (layer.empty() || request.base_layer != height) return std::nullopt;
  const uint64_t width = std::bit_ceil(layer.size());
  if (!std::has_single_bit(request.length) || request.length > kHashesPerRequest || request.length > width ||
      request.index % request.length != 0 || request.index >= layer.size()) {
    return std::nullopt;
  }
  // BEP 52 has requests of 512 hashes, of one file each. Each costs a walk over the whole layer.
  const size_t files = std::max<size_t>(1, metainfo_.tree.files().size());
  if (served.hashes >= 2 * (metainfo_.piece_layer.size() / 512 + files) + kSpare) return std::nullopt;
  ++served.hashes;
  std::vector<Sha256Digest> hashes = merkle::Range(layer, height, request.index, request.length);
  const std::vector<Sha256Digest> uncles =
      merkle::Uncles(layer, height, request.index, request.length, std::min(request.proof_layers, 64u),
                     height + merkle::HeightFor(layer.size()));
  hashes.insert(hashes.end(), uncles.begin(), uncles.end());
  return wire::Hashes{request, Slice::Own(Joined(hashes))};
}

}  // namespace bt::swarm
