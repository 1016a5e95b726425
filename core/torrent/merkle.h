#pragma once

// The BEP 52 hash tree of one file: SHA-256 over 16 KiB blocks, missing leaves 32 zero bytes, so a missing
// node of height h is the root of an all-zero subtree of 2^h leaves. Height 0 is the leaves. Pure functions.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/digest.h"

namespace bt::merkle {

Sha256Digest HashPair(const Sha256Digest& left, const Sha256Digest& right);

// Root of 2^height zero leaves. height <= 63.
Sha256Digest ZeroRoot(uint32_t height);

// Smallest h such that 2^h >= count. count >= 1.
uint32_t HeightFor(uint64_t count);

// Root over `nodes` (at least one), all of height `node_height`, padded to the next power of two.
Sha256Digest Root(std::span<const Sha256Digest> nodes, uint32_t node_height);

// Root of height `node_height + height` over at most 2^height `nodes`: a piece's layer entry from its leaves.
Sha256Digest PaddedRoot(std::span<const Sha256Digest> nodes, uint32_t node_height, uint32_t height);

// BEP 52 hash requests. The `count` (a power of two) hashes from `index` (a multiple of count) of a layer
// at height `layer_height`, padded where the layer has ended.
std::vector<Sha256Digest> Range(std::span<const Sha256Digest> layer, uint32_t layer_height, uint64_t index,
                                uint32_t count);

// The uncle hashes that prove such a range: one at each height from that of the range's own root up to
// layer_height + proof_layers, but none at or above `tree_height`, the height of the root over `layer`.
// Layers that follow from the range itself are left out, as BEP 52 says.
std::vector<Sha256Digest> Uncles(std::span<const Sha256Digest> layer, uint32_t layer_height, uint64_t index,
                                 uint32_t count, uint32_t proof_layers, uint32_t tree_height);

// True if `hashes` (a power of two of them, the first at `index` of its layer) with `uncles` lead to
// `ancestor`, the node log2(hashes) + uncles above.
bool VerifyRange(std::span<const Sha256Digest> hashes, uint64_t index, std::span<const Sha256Digest> uncles,
                 const Sha256Digest& ancestor);

}  // namespace bt::merkle
