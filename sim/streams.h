#pragma once

// Streams: ordered, reliable byte streams between the endpoints of a world, as TCP gives them: a bounded
// window in flight, bandwidth of each stream and of each node, latency, arbitrary cuts on arrival, connection
// refused, resets, peers that vanish without a word (half-open), partitions that block and later release, and
// nodes that read nothing for a while. A
// stream either delivers a prefix of what was sent, in order, or ends.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "sim/network.h"
#include "sim/world.h"

namespace bt::sim {

// One end of a node's streams. Calls may come while the node is stalled: it keeps them for later, and
// tells Consumed only when the machine has seen the bytes.
class StreamUser {
 public:
  virtual void StreamUp(LinkId link, const Address& peer) = 0;
  virtual void StreamBytes(LinkId link, const Slice& bytes) = 0;
  virtual void StreamSent(LinkId link, uint64_t total) = 0;
  virtual void StreamDown(LinkId link, const std::string& why) = 0;

 protected:
  ~StreamUser() = default;
};

struct StreamFaults {
  Duration latency_min = Microseconds(50);
  Duration latency_max = Microseconds(500);
  uint64_t bytes_per_second = 100'000'000;
  uint32_t refuse_ppm = 0;         // of the connections tried
  uint32_t reset_ppm = 0;          // of the chunks moved
  uint32_t slow_ppm = 0;           // of the connections made: a twentieth of the bandwidth
  uint32_t half_open_percent = 0;  // of the ends a crash cuts: the other side hears nothing
};

class Streams final : public EventSink {
 public:
  static constexpr uint64_t kWindow = 256 * 1024;
  static constexpr Duration kConnectTimeout = Seconds(10);
  static constexpr Duration kSilenceTimeout = Seconds(30);  // sent, never acknowledged: the sender gives up

  // `network` tells which ways are cut; endpoints have the same numbers in both.
  Streams(World& world, Network& network, StreamFaults faults)
      : world_(world), network_(network), faults_(faults), rng_(world.Stream("streams")) {}

  // The node takes connections at `address` (and its own ones come from that IP).
  void Attach(uint32_t node, StreamUser* user, Address address);
  // All that the node sends, and all that it receives, has a rate of bytes per second; 0: only each stream
  // has one. Streams that wait for a sender take turns, a chunk each; what arrives is taken in its order.
  void Limit(uint32_t node, uint64_t up, uint64_t down);
  // The process lives (and listens) or not. Going down ends its streams: with a reset the others hear
  // of, or in silence.
  void SetUp(uint32_t node, bool up);

  void Connect(uint32_t node, LinkId link, const Address& to);
  void SendBytes(uint32_t node, LinkId link, Slice bytes);
  void Close(uint32_t node, LinkId link, bool flush);
  // The host itself gives the link up (a file could not be read): both ends hear of it.
  void Reset(uint32_t node, LinkId link);
  void Consumed(uint32_t node, LinkId link, uint64_t bytes);
  // As net::StreamLinks::PauseReading: what arrives, ends of streams included, stays in the node's system
  // until it reads again; senders run into their windows. Not from within a call of StreamUser.
  void PauseReading(uint32_t node, bool paused);
  // Ways have been cut or mended, or the faults are over: streams that waited move again.
  void Wake();
  void StopFaults();

  size_t open() const { return by_link_.size(); }

  void Fire(uint64_t argument) override;

 private:
  enum class Kind : uint64_t { kSyn, kSynAck, kRefuse, kTransmitted, kArrive, kEnd, kGiveUp };
  using Packed = EventArgument<8, Kind>;  // which end of which stream
  struct Direction {
    std::deque<Slice> queue;  // handed over by the node, not yet on the wire
    std::deque<Slice> wire;   // on the wire, in order; the first `unread` have arrived
    size_t unread = 0;
    uint64_t window_used = 0;
    uint64_t total = 0;
    bool transmitting = false;
    bool in_line = false;     // for its sender's uplink
    bool closing = false;     // Close(flush) was asked for: ends when the queue is empty
    bool ended = false;       // the end is under way to the other side
    bool end_unread = false;  // ... and has arrived there
    Instant last_arrival{0};
    Instant waiting_since = Instant::Never();
  };
  struct Stream {
    RandomStream timing;  // latency, and how bytes are cut
    RandomStream faults;
    uint64_t id = 0;
    std::array<uint32_t, 2> node{};
    std::array<LinkId, 2> link{};
    std::array<bool, 2> open{};    // this end still hears of the stream
    std::array<Direction, 2> way;  // way[i]: from end i to the other
    uint64_t bytes_per_second = 0;
    bool established = false;
    std::string end_reason;
  };
  struct Node {
    StreamUser* user = nullptr;
    Address address;
    bool up = false;
    bool reading_paused = false;
    uint64_t next_inbound = kInboundLink;
    uint64_t up_rate = 0;
    uint64_t down_rate = 0;
    bool sending = false;                       // a chunk is on the uplink
    std::deque<std::pair<uint64_t, int>> line;  // for it: streams, and which end
    Instant received{0};                        // by then what has arrived is through the downlink
  };

  uint64_t Argument(Kind kind, const Stream& stream, int end) const {
    return Packed{kind, static_cast<uint64_t>(end), stream.id}.packed();
  }
  Stream* Find(uint32_t node, LinkId link, int& end);
  // Of all streams: whoever does something for each may thereby end some.
  std::vector<uint64_t> Ids() const;
  bool Blocked(const Stream& stream, int from);
  void Pump(Stream& stream, int from);
  void Launch(Stream& stream, int from);
  // The uplink is free: whoever is first in line and may send does.
  void NextInLine(Node& node);
  bool MaySend(Stream& stream, int from);
  Slice NextChunk(Stream& stream, int from);
  void Transmitted(Stream& stream, int from);
  void Left(Stream& stream, int from);
  void Arrive(Stream& stream, int from);
  // What has arrived is read, unless the node there pauses. The stream may be gone afterwards.
  void Read(Stream& stream, int from);
  void Syn(Stream& stream);
  void SynAck(Stream& stream);
  // The end of the stream starts its way from `from` to the other side.
  void SendEnd(Stream& stream, int from, std::string why);
  // `end` hears that the stream is over.
  void Down(Stream& stream, int end, const std::string& why);
  void Detach(Stream& stream, int end);
  void Reap(uint64_t id);
  Duration Latency(Stream& stream) { return stream.timing.Between(faults_.latency_min, faults_.latency_max); }

  World& world_;
  Network& network_;
  StreamFaults faults_;
  RandomStream rng_;
  std::vector<Node> nodes_;
  absl::btree_map<Address, uint32_t> listeners_;
  absl::btree_map<uint64_t, std::unique_ptr<Stream>> streams_;
  absl::flat_hash_map<std::pair<uint32_t, LinkId>, std::pair<uint64_t, int>> by_link_;  // look-up only
  uint64_t next_id_ = 0;
};

}  // namespace bt::sim
