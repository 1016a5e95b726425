#pragma once

// Peer: everything the client keeps about one link. Plain state; the engine's parts act on it. Every
// queue in it has its limit in config.h.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/swarm/config.h"
#include "core/swarm/info_hashes.h"
#include "core/swarm/metadata_source.h"
#include "core/swarm/peer_exchange.h"
#include "core/swarm/picker.h"
#include "core/swarm/wire.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

inline constexpr uint32_t kWindowStart = 8;  // requests in flight before anything is known of a peer
inline constexpr uint32_t kWindowMin = 3;    // however slow it is, unless it rejects
// What is asked for ahead of a peer's rate, beside its round trip: as little as keeps the pipe full. What
// waits at one peer cannot be had from a faster one, and pieces that others would be better off with wait
// behind it.
inline constexpr Duration kAhead = Milliseconds(150);
inline constexpr Duration kAheadOfAll = Seconds(1);  // of all peers together
inline constexpr Duration kRoundTripMax = Seconds(2);
inline constexpr uint32_t kReqqUntold = 250;              // what clients allow that do not say (libtorrent's)
inline constexpr uint32_t kStaleLimit = 1024;             // given-up requests that may still be answered
inline constexpr uint32_t kUnrequestedLimit = 64;         // blocks nobody asked for, then it is cut off
inline constexpr uint32_t kTimeoutLimit = 6;              // times snubbed in a row, then it is cut off
inline constexpr Duration kEndgamePatience = Seconds(5);  // for what should have come by itself, at most
inline constexpr uint32_t kEndgameDepth = 1;              // requests in flight per peer in the endgame
inline constexpr Duration kRateWindow = Milliseconds(250);
inline constexpr uint32_t kSuggestedLimit = 256;          // of a peer's suggestions remembered
inline constexpr Duration kLeadPatienceMin = Seconds(1);  // without one, it is a peer like others
inline constexpr Duration kLeadPatienceMax = Seconds(10);
inline constexpr Duration kRefusedMin = Seconds(5);  // until a rejected piece is asked for again
inline constexpr Duration kRefusedMax = Seconds(60);
// Block bytes queued on a link are what leaves it in this time, and at least so many: what we ask of a peer
// and tell it goes out behind them.
inline constexpr Duration kQueueTime = Milliseconds(10);
inline constexpr uint64_t kQueueBytesMin = 32 << 10;

// Block bytes per second, measured over at least kRateWindow.
struct Rate {
  Instant since{};
  Instant last{};
  uint64_t bytes = 0;
  uint64_t per_second = 0;  // 0: not measured yet

  // Something is asked for again: a longer time in which nothing was does not count.
  void Resume(Instant now) {
    if (now - last >= kRateWindow) Restart(now);
  }
  void Restart(Instant now) {
    since = now;
    bytes = 0;
  }
  void Count(uint64_t arrived, Instant now) {
    bytes += arrived;
    last = now;
    const Duration elapsed = now - since;
    if (elapsed < kRateWindow) return;
    per_second = std::max<uint64_t>(1, bytes * 1'000'000 / static_cast<uint64_t>(elapsed.micros()));
    Restart(now);
  }
  // How many blocks come in that time, and how long so many bytes take: none, and no time, until it is
  // measured.
  uint64_t BlocksIn(Duration time) const {
    return per_second * static_cast<uint64_t>(time.micros()) / 1'000'000 / kBlockSize;
  }
  Duration TimeFor(uint64_t wanted) const {
    return per_second == 0 ? Duration{} : Microseconds(static_cast<int64_t>(wanted * 1'000'000 / per_second));
  }
};

// A seeder that suggests pieces (spreader.h) decides who gets which while there are any that only such peers
// have: it is asked for nothing else, unless its suggestions fail to come.
struct Lead {
  std::deque<PieceIndex> suggested;  // oldest first
  bool leads = false;
  bool ever = false;
  Instant last{};  // suggestion that was of use
  Duration patience = kLeadPatienceMin * 2;

  void Suggested(PieceIndex piece, Instant now) {
    suggested.push_back(piece);
    // The more peers take turns, the longer it takes.
    if (ever) {
      patience =
          std::clamp(std::max((now - last) * 4, patience * 15 / 16), kLeadPatienceMin, kLeadPatienceMax);
    }
    leads = ever = true;
    last = now;
  }
};

// Pieces of which the peer has rejected a block. Its queue may have been full, for example with requests
// that it had accepted between a choke and an unchoke and that were given up here; a seeder never says Have
// again. The pieces therefore count as its own again after a while, and after a longer one each time, so
// that who rejects everything is asked for little.
struct Refused {
  std::vector<PieceIndex> pieces;  // none of them is in Peer::pieces: at most the torrent's
  Instant until = Instant::Never();
  Duration wait = kRefusedMin;  // the next one

  void Add(PieceIndex piece, Instant now) {
    if (pieces.empty()) {
      until = now + wait;
      wait = std::min(wait * 2, kRefusedMax);
    }
    pieces.push_back(piece);
  }
  // A block has come: it does give something.
  void Delivered() { wait = kRefusedMin; }
  std::vector<PieceIndex> TakeAll() {
    until = Instant::Never();
    return std::exchange(pieces, {});
  }
};

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
  std::string outgoing;                   // messages of this step, sent together at its end
  uint64_t queued_total = 0;              // bytes given to the host since LinkUp
  uint64_t sent_total = 0;                // of these, known to have left the host's queue
  uint64_t queue_bytes = kQueueBytesMin;  // block bytes to be queued, from its rate
  Instant sent_since{};
  uint64_t sent_before = 0;  // sent_total then
  Instant last_received{};
  Instant last_sent{};

  // What it has and who wants what.
  PieceMap pieces;
  uint32_t useful = 0;  // pieces it has and we lack
  bool am_interested = false;
  bool peer_choking = true;
  bool am_choking = true;
  bool peer_interested = false;

  Refused refused;

  // Our requests to it.
  Instant ask_from{};  // not before: see probation.h; the origin once that is over
  std::deque<BlockRef> requests;
  std::deque<BlockRef> stale;  // given up, but may still be answered
  uint32_t window = kWindowStart;
  Instant waiting_since{};              // for the next block, while requests are out
  bool timing = false;                  // nothing was out before: the next block tells the round trip
  Duration round_trip = kRoundTripMax;  // the shortest seen
  bool snubbed = false;
  uint32_t timeouts = 0;
  uint32_t unrequested = 0;
  Rate rate;
  bool delivered = false;  // at least one block, ever

  // Extensions (BEP 10).
  uint8_t metadata_id = 0;  // under which it takes pieces of info dictionaries; 0: it does not
  MetadataSource::Served served;
  PeerExchange exchange;

  Lead lead;
  // Since then it has given nothing and suggested nothing; while it owes blocks it goes on leading.
  Instant LeadDeadline() const {
    if (!lead.leads || !requests.empty()) return Instant::Never();
    return std::max(lead.last, waiting_since) + lead.patience;
  }

  // Its requests to us.
  std::deque<wire::BlockSpan> asked;
  uint64_t given = 0;  // block bytes from it in this choke round
  uint64_t taken = 0;  // block bytes to it in this choke round

  // How many requests to keep in flight: slow start, then what comes in a round trip and a little.
  uint32_t WindowTarget(uint32_t fair_share) const {
    if (snubbed) return 1;
    uint32_t target = window;
    if (rate.per_second > 0) {
      const uint64_t worth = std::max<uint64_t>(rate.BlocksIn(kAhead + round_trip), kWindowMin);
      target = static_cast<uint32_t>(std::min<uint64_t>(target, worth));
    }
    return std::max(1u, std::min({target, fair_share, reqq, kRequestsPerPeerLimit}));
  }

  // After sent_total has grown.
  void CountSent(Instant now) {
    const Duration elapsed = now - sent_since;
    if (elapsed < kQueueTime) return;
    const uint64_t sent = sent_total - sent_before;
    queue_bytes = std::max(kQueueBytesMin, sent * static_cast<uint64_t>(kQueueTime.micros()) /
                                               static_cast<uint64_t>(elapsed.micros()));
    sent_since = now;
    sent_before = sent_total;
  }

  void CountBlock(uint64_t bytes, Instant now) {
    delivered = true;
    refused.Delivered();
    snubbed = false;
    timeouts = 0;
    if (std::exchange(timing, false)) round_trip = std::min(round_trip, now - waiting_since);
    waiting_since = now;
    if (window < kRequestsPerPeerLimit) ++window;
    rate.Count(bytes, now);
  }
};

}  // namespace bt::swarm
