#pragma once

// Peer: everything the client keeps about one link. Plain state; the engine's parts act on it. Every
// queue in it has its limit in config.h.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/swarm/config.h"
#include "core/swarm/info_hashes.h"
#include "core/swarm/picker.h"
#include "core/swarm/wire.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

inline constexpr uint32_t kWindowStart = 32;       // requests in flight before anything is known of a peer
inline constexpr uint32_t kWindowMin = 8;          // however slow it is
inline constexpr uint32_t kReqqUntold = 250;       // what clients allow that do not say (libtorrent's)
inline constexpr uint32_t kStaleLimit = 1024;      // given-up requests that may still be answered
inline constexpr uint32_t kUnrequestedLimit = 64;  // blocks nobody asked for, then it is cut off
inline constexpr uint32_t kTimeoutLimit = 6;       // times snubbed in a row, then it is cut off
inline constexpr uint32_t kEndgameDepth = 2;       // requests in flight per peer in the endgame
inline constexpr Duration kRateWindow = Milliseconds(250);

struct Peer {
  enum class State : uint8_t { kConnecting, kHandshaking, kReady, kGone };

  Picker::PeerSlot slot = 0;
  LinkId link;
  Address address;
  Address listens;  // where it accepts connections, as far as it says; port 0: it has not said
  State state = State::kConnecting;
  Instant since{};  // when this state began
  bool inbound() const { return (link.value() & kInboundLink) != 0; }
  Sender sender() const { return {address, link}; }

  // The wire.
  wire::Decoder decoder;
  wire::PeerId id{};
  bool fast = false;
  bool extended = false;
  InfoHashes::Known under;  // the info-hash of this connection
  uint32_t reqq = kReqqUntold;
  std::string outgoing;       // messages of this step, sent together at its end
  uint64_t queued_total = 0;  // bytes given to the host since LinkUp
  uint64_t sent_total = 0;    // of these, known to have left the host's queue
  Instant last_received{};
  Instant last_sent{};

  // What it has and who wants what.
  PieceMap pieces;
  uint32_t useful = 0;  // pieces it has and we lack
  bool am_interested = false;
  bool peer_choking = true;
  bool am_choking = true;
  bool peer_interested = false;

  // Our requests to it.
  std::deque<BlockRef> requests;
  std::deque<BlockRef> stale;  // given up, but may still be answered
  uint32_t window = kWindowStart;
  Instant waiting_since{};  // for the next block, while requests are out
  bool snubbed = false;
  uint32_t timeouts = 0;
  uint32_t unrequested = 0;
  Instant rate_since{};
  uint32_t rate_blocks = 0;
  uint64_t blocks_per_second = 0;  // 0: not measured yet
  bool delivered = false;          // at least one block, ever

  // Its requests to us.
  std::deque<wire::BlockSpan> asked;
  uint64_t given = 0;  // block bytes from it in this choke round
  uint64_t taken = 0;  // block bytes to it in this choke round

  // How many requests to keep in flight: slow start, then about two seconds' worth at its rate.
  uint32_t WindowTarget(uint32_t fair_share) const {
    if (snubbed) return 1;
    uint32_t target = window;
    if (blocks_per_second > 0) {
      const uint64_t worth = std::max<uint64_t>(2 * blocks_per_second, kWindowMin);
      target = static_cast<uint32_t>(std::min<uint64_t>(target, worth));
    }
    return std::max(1u, std::min({target, fair_share, reqq, kRequestsPerPeerLimit}));
  }

  void CountBlock(Instant now) {
    delivered = true;
    snubbed = false;
    timeouts = 0;
    waiting_since = now;
    if (window < kRequestsPerPeerLimit) ++window;
    ++rate_blocks;
    const Duration elapsed = now - rate_since;
    if (elapsed < kRateWindow) return;
    blocks_per_second = elapsed > Seconds(100)
                            ? 1
                            : std::max<uint64_t>(1, uint64_t{rate_blocks} * 1'000'000 /
                                                        static_cast<uint64_t>(elapsed.micros()));
    rate_blocks = 0;
    rate_since = now;
  }
};

}  // namespace bt::swarm
