#include "core/swarm/metadata_assembly.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/torrent/bencode.h"
#include "core/torrent/merkle.h"
#include "core/torrent/metainfo.h"

namespace bt::swarm {

// --- Parts ---

std::optional<uint32_t> Parts::Ask(LinkId of) {
  for (uint32_t part = 0; part < parts_.size(); ++part) {
    if (parts_[part].from) continue;
    parts_[part].from = of;
    return part;
  }
  return std::nullopt;
}

void Parts::Arrived(uint32_t part) {
  CHECK(!parts_[part].there);
  parts_[part].there = true;
  --missing_;
}

void Parts::Free(LinkId of) {
  for (Part& part : parts_) {
    if (!part.there && part.from == of) part.from.reset();
  }
}

std::vector<LinkId> Parts::senders() const {
  std::vector<LinkId> senders;
  for (const Part& part : parts_) {
    if (part.there && std::find(senders.begin(), senders.end(), *part.from) == senders.end()) {
      senders.push_back(*part.from);
    }
  }
  return senders;
}

// --- InfoAssembly ---

bool InfoAssembly::Arrived(LinkId from, const wire::Metadata& piece) {
  if (!parts_.asked(piece.piece, from)) return false;
  const size_t offset = size_t{piece.piece} * wire::kMetadataPiece;
  const size_t length = std::min<size_t>(wire::kMetadataPiece, bytes_.size() - offset);
  if (piece.bytes.size() != length) return false;
  bytes_.replace(offset, length, piece.bytes.view());
  parts_.Arrived(piece.piece);
  return true;
}

// --- piece layers ---

namespace {

using bencode::Value;

// Adds what this part of a file tree promises; `depth` is bounded by that of bencode.
void AddLayers(const Value& tree, uint64_t piece_length, std::vector<MissingLayer>& layers) {
  for (auto key = tree.first(); key; key = key->next()->next()) {
    const auto value = key->next();
    if (!value->is_dictionary()) continue;
    if (!key->text()->empty()) {
      AddLayers(*value, piece_length, layers);
      continue;
    }
    const auto length = value->Find("length");
    const auto root = value->Find("pieces root");
    const int64_t bytes = length ? length->integer().value_or(0) : 0;
    if (bytes <= static_cast<int64_t>(piece_length) || !root || !root->text()) continue;
    MissingLayer layer;
    if (root->text()->size() != layer.pieces_root.size()) continue;
    std::memcpy(layer.pieces_root.data(), root->text()->data(), layer.pieces_root.size());
    layer.height = merkle::HeightFor(piece_length / kBlockSize);
    const uint64_t entries = (static_cast<uint64_t>(bytes) - 1) / piece_length + 1;
    layer.entries = static_cast<uint32_t>(std::min<uint64_t>(entries, UINT32_MAX));
    layers.push_back(layer);
  }
}

}  // namespace

std::vector<MissingLayer> LayersOf(std::string_view info) {
  std::vector<MissingLayer> layers;
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(info);
  if (!document.ok()) return layers;
  const auto tree = document->root().Find("file tree");
  const auto piece_length = document->root().Find("piece length");
  const int64_t length = piece_length ? piece_length->integer().value_or(0) : 0;
  if (!tree || length < kPieceLengthMin || length > kPieceLengthMax ||
      !std::has_single_bit(static_cast<uint64_t>(length))) {
    return layers;
  }
  AddLayers(*tree, static_cast<uint64_t>(length), layers);
  uint64_t entries = 0;
  for (const MissingLayer& layer : layers) entries += layer.entries;
  if (entries > kPieceCountLimit) layers.clear();
  return layers;
}

LayerAssembly::LayerAssembly(std::vector<MissingLayer> layers) {
  uint32_t parts = 0;
  for (MissingLayer& wanted : layers) {
    Layer layer;
    layer.first_part = parts;
    layer.per_part = std::min(kHashesPerRequest, std::bit_ceil(wanted.entries));
    layer.hashes.resize(wanted.entries);
    parts += (wanted.entries + layer.per_part - 1) / layer.per_part;
    layer.wanted = std::move(wanted);
    layers_.push_back(std::move(layer));
  }
  parts_ = Parts(parts);
}

size_t LayerAssembly::LayerOf(uint32_t part) const {
  const auto after = std::upper_bound(layers_.begin(), layers_.end(), part,
                                      [](uint32_t p, const Layer& layer) { return p < layer.first_part; });
  return static_cast<size_t>(after - layers_.begin()) - 1;
}

wire::HashSpan LayerAssembly::SpanOf(uint32_t part) const {
  const Layer& layer = layers_[LayerOf(part)];
  wire::HashSpan span;
  span.pieces_root = layer.wanted.pieces_root;
  span.base_layer = layer.wanted.height;
  span.index = (part - layer.first_part) * layer.per_part;
  span.length = layer.per_part;
  // The root itself is known.
  span.proof_layers = merkle::HeightFor(layer.wanted.entries) - 1;
  return span;
}

std::optional<uint32_t> LayerAssembly::PartOf(const wire::HashSpan& span) const {
  for (uint32_t part = 0; part < parts_.size(); ++part) {
    if (SpanOf(part) == span) return part;
  }
  return std::nullopt;
}

LayerAssembly::Verdict LayerAssembly::Arrived(LinkId from, const wire::Hashes& message) {
  const std::optional<uint32_t> part = PartOf(message.span);
  if (!part || !parts_.asked(*part, from)) return Verdict::kNotAskedFor;
  const uint32_t length = message.span.length;
  Layer& layer = layers_[LayerOf(*part)];
  const uint32_t above = merkle::HeightFor(layer.wanted.entries) - merkle::HeightFor(length);
  const std::string_view bytes = message.hashes.view();
  std::vector<Sha256Digest> hashes(bytes.size() / sizeof(Sha256Digest));
  if (hashes.size() != length + above) return Verdict::kWrong;
  std::memcpy(hashes.data(), bytes.data(), hashes.size() * sizeof(Sha256Digest));
  const std::span<const Sha256Digest> all(hashes);
  if (!merkle::VerifyRange(all.first(length), message.span.index, all.subspan(length),
                           message.span.pieces_root)) {
    return Verdict::kWrong;
  }
  const uint32_t here = std::min(length, layer.wanted.entries - message.span.index);
  std::copy_n(hashes.begin(), here, layer.hashes.begin() + message.span.index);
  parts_.Arrived(*part);
  return Verdict::kRight;
}

std::string LayerAssembly::PieceLayers() const {
  std::map<std::string_view, const Layer*> sorted;
  for (const Layer& layer : layers_) sorted[BytesOf(layer.wanted.pieces_root)] = &layer;
  std::string out;
  bencode::Writer writer(out);
  writer.BeginDictionary();
  for (const auto& [root, layer] : sorted) writer.Key(root).Text(Joined(layer->hashes));
  writer.End();
  return out;
}

}  // namespace bt::swarm
