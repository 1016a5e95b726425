#include "core/base/rng.h"

#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt {
namespace {

uint64_t SplitMix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t RotateLeft(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

}  // namespace

Rng::Rng(uint64_t seed) : seed_(seed) {
  uint64_t state = seed;
  for (uint64_t& word : state_) word = SplitMix64(state);
}

Rng Rng::Fork(std::string_view purpose, uint64_t index) const {
  return Rng(HashBytes(purpose, seed_) ^ (index * 0x9e3779b97f4a7c15u));
}

uint64_t Rng::Next() {
  const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

uint64_t Rng::Below(uint64_t limit) {
  CHECK(limit > 0);
  // Lemire's multiply-and-reject: unbiased, one multiplication in the common case.
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(Next()) * limit;
  uint64_t low = static_cast<uint64_t>(product);
  if (low < limit) {
    const uint64_t threshold = (0 - limit) % limit;
    while (low < threshold) {
      product = static_cast<Wide>(Next()) * limit;
      low = static_cast<uint64_t>(product);
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

}  // namespace bt
