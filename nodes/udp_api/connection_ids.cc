#include "nodes/udp_api/connection_ids.h"

#include <bit>

#include "core/base/bytes.h"

namespace bt::nodes {

namespace {

constexpr Duration kWindow = Seconds(60);

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Take(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

uint64_t SipHash(const std::array<uint64_t, 2>& key, const std::array<uint64_t, 3>& words) {
  SipState state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                 key[1] ^ 0x7465646279746573};
  for (const uint64_t word : words) state.Take(word);
  state.Take(uint64_t{sizeof words} << 56);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

uint64_t ConnectionIds::Window(Instant now) {
  return static_cast<uint64_t>((now - Instant{}).ns / kWindow.ns);
}

// The port counts too: an id that one client of a host has been given is not another's.
uint64_t ConnectionIds::Of(const Address& address, uint64_t window) const {
  const char* ip = BytesOf(address.ip).data();
  return SipHash(secret_, {LoadLittle(ip, 8), LoadLittle(ip + 8, 8), window << 16 | address.port});
}

bool ConnectionIds::Valid(uint64_t id, const Address& from, Instant now) const {
  const uint64_t window = Window(now);
  for (uint64_t ago = 0; ago <= 2 && ago <= window; ++ago) {
    if (id == Of(from, window - ago)) return true;
  }
  return false;
}

}  // namespace bt::nodes
