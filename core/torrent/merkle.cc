#include "core/torrent/merkle.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/check.h"

namespace bt::merkle {

Sha256Digest HashPair(const Sha256Digest& left, const Sha256Digest& right) {
  char pair[64];
  std::memcpy(pair, left.data(), 32);
  std::memcpy(pair + 32, right.data(), 32);
  return Sha256(std::string_view(pair, sizeof pair));
}

Sha256Digest ZeroRoot(uint32_t height) {
  Sha256Digest node{};
  for (uint32_t i = 0; i < height; ++i) node = HashPair(node, node);
  return node;
}

uint32_t HeightFor(uint64_t count) {
  CHECK(count >= 1);
  return static_cast<uint32_t>(std::bit_width(count - 1));
}

Sha256Digest Root(std::span<const Sha256Digest> nodes, uint32_t node_height) {
  return PaddedRoot(nodes, node_height, HeightFor(nodes.size()));
}

Sha256Digest PaddedRoot(std::span<const Sha256Digest> nodes, uint32_t node_height, uint32_t height) {
  CHECK(!nodes.empty() && HeightFor(nodes.size()) <= height);
  std::vector<Sha256Digest> layer(nodes.begin(), nodes.end());
  Sha256Digest padding = ZeroRoot(node_height);
  for (uint32_t i = 0; i < height; ++i) {
    if (layer.size() % 2 == 1) layer.push_back(padding);
    for (size_t pair = 0; pair < layer.size() / 2; ++pair) {
      layer[pair] = HashPair(layer[2 * pair], layer[2 * pair + 1]);
    }
    layer.resize(layer.size() / 2);
    padding = HashPair(padding, padding);
  }
  return layer[0];
}

namespace {

// The node `height` above `layer` that covers [index << height, (index + 1) << height) of it.
Sha256Digest NodeAbove(std::span<const Sha256Digest> layer, uint32_t layer_height, uint64_t index,
                       uint32_t height) {
  const uint64_t first = index << height;
  if (first >= layer.size()) return ZeroRoot(layer_height + height);
  const uint64_t count = std::min<uint64_t>(layer.size() - first, uint64_t{1} << height);
  return PaddedRoot(layer.subspan(first, count), layer_height, height);
}

}  // namespace

std::vector<Sha256Digest> Range(std::span<const Sha256Digest> layer, uint32_t layer_height, uint64_t index,
                                uint32_t count) {
  std::vector<Sha256Digest> hashes(count, ZeroRoot(layer_height));
  for (uint64_t i = 0; i < count && index + i < layer.size(); ++i) hashes[i] = layer[index + i];
  return hashes;
}

std::vector<Sha256Digest> Uncles(std::span<const Sha256Digest> layer, uint32_t layer_height, uint64_t index,
                                 uint32_t count, uint32_t proof_layers, uint32_t tree_height) {
  CHECK(std::has_single_bit(count) && index % count == 0);
  std::vector<Sha256Digest> uncles;
  for (uint32_t above = HeightFor(count); above <= proof_layers && layer_height + above < tree_height;
       ++above) {
    uncles.push_back(NodeAbove(layer, layer_height, (index >> above) ^ 1, above));
  }
  return uncles;
}

bool VerifyRange(std::span<const Sha256Digest> hashes, uint64_t index, std::span<const Sha256Digest> uncles,
                 const Sha256Digest& ancestor) {
  if (hashes.empty() || !std::has_single_bit(hashes.size()) || index % hashes.size() != 0) return false;
  Sha256Digest node = Root(hashes, 0);
  index /= hashes.size();
  for (const Sha256Digest& uncle : uncles) {
    node = index % 2 == 0 ? HashPair(node, uncle) : HashPair(uncle, node);
    index /= 2;
  }
  return index == 0 ? node == ancestor : false;
}

}  // namespace bt::merkle
