#pragma once

// HashMemo: what the disks of one world have hashed. In a swarm every node hashes the same blocks at the
// same places; equal bytes have equal hashes, so a byte-for-byte comparison with what was hashed there
// before stands in for hashing again, at a thirtieth of the cost. Bytes that differ are really hashed.

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/slice.h"

namespace bt::sim {

class HashMemo {
 public:
  static constexpr size_t kVersionsMax = 4;      // of the bytes at one place; more are hashed every time
  static constexpr size_t kPlacesMax = 1 << 16;  // likewise

  // Of `bytes`, which lie at `offset` of some file.
  Sha256Digest Sha256At(uint64_t offset, const Slice& bytes) { return At(sha256_, offset, bytes, &Sha256); }
  Sha1Digest Sha1At(uint64_t offset, const Slice& bytes) { return At(sha1_, offset, bytes, &Sha1); }

 private:
  template <class Digest>
  struct Version {
    Slice bytes;
    Digest digest;
  };
  template <class Digest>
  using Places = absl::flat_hash_map<std::pair<uint64_t, size_t>, std::vector<Version<Digest>>>;

  template <class Digest>
  static Digest At(Places<Digest>& places, uint64_t offset, const Slice& bytes,
                   Digest (*hash)(std::string_view)) {
    const std::pair<uint64_t, size_t> place{offset, bytes.size()};
    if (places.size() >= kPlacesMax && !places.contains(place)) return hash(bytes.view());
    std::vector<Version<Digest>>& versions = places[place];
    for (const Version<Digest>& version : versions) {
      if (version.bytes == bytes) return version.digest;
    }
    const Digest digest = hash(bytes.view());
    if (versions.size() < kVersionsMax) versions.push_back({Slice::Copy(bytes.view()), digest});
    return digest;
  }

  Places<Sha256Digest> sha256_;
  Places<Sha1Digest> sha1_;
};

}  // namespace bt::sim
