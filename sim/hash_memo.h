#pragma once

// HashMemo: what the disks of one world have hashed. In a swarm every node hashes the same blocks at the
// same places; equal bytes have equal hashes, so a byte-for-byte comparison with what was hashed there
// before stands in for hashing again, at a thirtieth of the cost. Bytes that differ are really hashed.

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/base/slice.h"

namespace bt::sim {

class HashMemo {
 public:
  static constexpr size_t kVersionsMax = 4;      // of the bytes at one place; more are hashed every time
  static constexpr size_t kPlacesMax = 1 << 16;  // likewise
  static constexpr size_t kDigestMax = 32;       // bytes of a digest

  template <size_t N>
  using Hash = std::array<uint8_t, N> (*)(std::string_view);

  // What `hash` makes of `bytes`, which lie at `offset` of some file.
  template <size_t N>
  std::array<uint8_t, N> At(Hash<N> hash, uint64_t offset, const Slice& bytes) {
    return Know(hash, offset, bytes).digest;
  }

  template <size_t N>
  struct Known {
    std::array<uint8_t, N> digest;
    Slice bytes;  // those that were hashed there first, where they are equal: who keeps these keeps no copy
  };
  template <size_t N>
  Known<N> Know(Hash<N> hash, uint64_t offset, const Slice& bytes) {
    static_assert(N <= kDigestMax);
    const Place place{reinterpret_cast<uintptr_t>(hash), offset, bytes.size()};
    if (places_.size() >= kPlacesMax && !places_.contains(place)) return {hash(bytes.view()), bytes};
    std::vector<Version>& versions = places_[place];
    Known<N> known;
    for (const Version& version : versions) {
      if (version.bytes.data() != bytes.data() && version.bytes != bytes) continue;
      std::copy_n(version.digest.begin(), N, known.digest.begin());
      known.bytes = version.bytes;
      return known;
    }
    known = {hash(bytes.view()), bytes};
    if (versions.size() < kVersionsMax) {
      versions.push_back({bytes});
      std::copy_n(known.digest.begin(), N, versions.back().digest.begin());
    }
    return known;
  }

 private:
  using Place = std::tuple<uintptr_t, uint64_t, size_t>;  // which hash, offset, length
  struct Version {
    Slice bytes;
    std::array<uint8_t, kDigestMax> digest{};
  };

  absl::flat_hash_map<Place, std::vector<Version>> places_;
};

}  // namespace bt::sim
