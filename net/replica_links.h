#pragma once

// ReplicaLinks: framed messages between the replicas of one cluster, on TCP. Each node keeps one outgoing
// connection to every peer and sends on it; what it receives comes over the connections its peers made.
// Delivery is at most once and in order per connection; anything may be lost (Paxos tolerates it): a full
// queue drops its oldest frames, a broken connection its queue, all of it counted.
//
// Frame: magic u32, length u32, xxh3-64 of the body u64 (little-endian), body. The first frame each way is a
// Hello; a stranger (other protocol version, cluster, node, or garbage) is counted and disconnected.

#include <absl/container/btree_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/rng.h"
#include "core/base/slice.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

inline constexpr uint32_t kFrameMagic = 0x46725442;  // "BTrF"
inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr size_t kFrameBytesMax = 32u << 20;

// The header of a frame around `body`.
std::string EncodeFrameHeader(std::string_view body);

struct ReplicaHello {
  static constexpr uint64_t kVersion = 1;

  uint64_t version = kVersion;
  uint64_t cluster = 0;
  NodeId from;
  NodeId to;

  static void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("cluster", self.cluster);
    visit("from", self.from);
    visit("to", self.to);
  }
  friend bool operator==(const ReplicaHello&, const ReplicaHello&) = default;
};

struct ReplicaLinksOptions {
  uint64_t cluster = 0;
  NodeId self;
  absl::btree_map<NodeId, Address> peers;  // the other members
  size_t queued_bytes_max = 48u << 20;     // per peer; one frame always fits
  size_t queued_frames_max = 64 * 1024;    // per peer
  size_t inbound_max = 64;                 // connections, told apart from strangers' only by their Hello
  Duration hello_timeout = Seconds(5);
  Duration connect_timeout = Seconds(3);
  Duration back_off_min = Milliseconds(20);
  Duration back_off_max = Seconds(1);
  size_t read_bytes_per_wake = 1024 * 1024;
};

class ReplicaLinks {
 public:
  struct Counters {
    uint64_t sent_frames = 0;
    uint64_t sent_bytes = 0;
    uint64_t writes = 0;  // system calls for them
    uint64_t received_frames = 0;
    uint64_t received_bytes = 0;
    uint64_t dropped_unconnected = 0;  // sent while there was no connection, or lost with one
    uint64_t dropped_overflow = 0;
    uint64_t malformed = 0;    // bad magic, length, checksum or message: connection closed
    uint64_t foreign = 0;      // a well-formed Hello of another cluster, version or node: connection closed
    uint64_t turned_away = 0;  // over inbound_max
    uint64_t connects = 0;
    uint64_t connect_failures = 0;
  };

  // `deliver(from, body)` says whether the body is a message; if not, the connection is closed.
  using Deliver = std::function<bool(NodeId from, Slice body)>;

  ReplicaLinks(Loop& loop, ReplicaLinksOptions options, uint64_t seed);
  ~ReplicaLinks();

  // Accepts the peers' connections; returns the address with its real port. At most once.
  absl::StatusOr<Address> Listen(const Address& address);
  // Starts connecting to the peers. Before the first Send.
  void Connect(Deliver deliver);

  // Queues a frame; written at the end of the loop's iteration with all others for that peer in one system
  // call. The body's bytes are not copied. `to` must be a peer.
  void Send(NodeId to, Slice body);

  bool connected(NodeId peer) const;
  const Counters& counters() const { return counters_; }

 private:
  struct Outgoing;
  struct Incoming;

  void Dial(Outgoing& peer);
  void OnOutgoingReady(Outgoing& peer, uint32_t events);
  void OnGreeting(Outgoing& peer);
  void Lose(Outgoing& peer);
  void Flush();
  void FlushPeer(Outgoing& peer);
  void AcceptMany();
  void OnIncomingReady(uint64_t id);
  void Drop(uint64_t id);

  Loop& loop_;
  const ReplicaLinksOptions options_;
  Rng rng_;
  Deliver deliver_;
  absl::btree_map<NodeId, std::unique_ptr<Outgoing>> outgoing_;
  absl::btree_map<uint64_t, std::unique_ptr<Incoming>> incoming_;
  uint64_t incoming_count_ = 0;
  Deferred flush_;
  Listener listener_;
  std::unique_ptr<Watcher> accept_watcher_;
  Timer accept_pause_;
  Counters counters_;
};

}  // namespace bt::net
