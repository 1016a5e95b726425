#pragma once

// ReplicaLinks: framed messages between the replicas of one cluster, on TCP. Each node keeps one outgoing
// connection to every peer and sends on it; what it receives comes over the connections its peers made.
// Delivery is at most once and in order per connection; anything may be lost (Paxos tolerates it): a full
// queue drops its oldest frames, a broken connection its queue, all of it counted.
//
// A peer is known by its id and proof, never by its address. Each attempt at it looks its name up anew,
// beside the loop, and tries all addresses the name has then: a host may move, and one that is unknown now
// may be known later.
//
// A connection is in TLS or in clear, as ReplicaTls says (replica_tls.h); under TLS a peer shows a
// certificate that is made out to the id it claims.
//
// Either begins with a handshake (replica_handshake.h) in which both sides prove to know the cluster's
// secret, within hello_timeout. A stranger (other version, cluster or node, garbage, no certificate, no
// proof) is disconnected, counted, and told of at most once in note_pause. At most inbound_max connections
// are accepted at a time; one that has not proven itself makes room for the next, and never displaces one
// that has. A node id that is in use by a living connection is not given to another: who claims it is
// disconnected and may try again.

#include <absl/container/btree_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/highest.h"
#include "core/base/ids.h"
#include "core/base/rng.h"
#include "core/base/slice.h"
#include "net/acceptor.h"
#include "net/connection.h"
#include "net/loop.h"
#include "net/replica_handshake.h"
#include "net/replica_tls.h"
#include "net/resolve.h"

namespace bt::net {

struct ReplicaLinksOptions {
  ReplicaHandshake::Identity identity;
  // Outlives the links. None: they are in clear, unless `connection` has a filter of its own.
  const ReplicaTls* tls = nullptr;
  absl::btree_map<NodeId, HostAndPort> peers;  // the other members
  Lookup::Resolver resolve = ResolveAll;       // called beside the loop, before each attempt at a name
  size_t queued_bytes_max = 48u << 20;         // per peer; one frame always fits
  size_t queued_frames_max = 64 * 1024;        // per peer
  size_t inbound_max = 64;              // connections, strangers' among them until the handshake is over
  Duration hello_timeout = Seconds(5);  // for the whole handshake
  // Whether a peer may be met as this incarnation of it. Asked at its first word, and again, with `proven`,
  // when nothing but the answer is missing.
  std::function<bool(NodeId peer, uint64_t incarnation, bool proven)> admit = [](NodeId, uint64_t, bool) {
    return true;
  };
  // Answers one frame of a guest's, on its connection, which ends within hello_timeout all the same. Without
  // it guests are strangers.
  std::function<Slice(const Slice& body)> guest;
  Duration note_pause = Seconds(60);
  // Told a line for the operator about a refused connection.
  std::function<void(std::string)> note = [](const std::string&) {};
  // Told when the link on which this node sends to a peer comes up, and when one that was up ends.
  std::function<void(NodeId peer, const Address& address, bool up)> linked = [](NodeId, const Address&,
                                                                                bool) {};
  Duration back_off_min = Milliseconds(20);
  Duration back_off_max = Seconds(1);
  // A connection whose peer was not heard from for so long does not keep its node id. The kernels of living
  // peers exchange something once a second (notice_vanished_peer); one such exchange may be lost.
  Duration silence = Milliseconds(2500);
  size_t read_bytes_per_wake = 1024 * 1024;
  // Connecting is given up earlier than elsewhere, after one repeated SYN: the next attempt is near.
  ConnectionOptions connection = {.connect = Seconds(3), .notice_vanished_peer = true};
};

class ReplicaLinks {
 public:
  struct Counters : ConnectionCounters {
    uint64_t sent_frames = 0;  // given to a connection
    uint64_t received_frames = 0;
    uint64_t dropped_unconnected = 0;  // sent while there was no connection, or lost with one
    uint64_t dropped_overflow = 0;
    uint64_t malformed = 0;  // bad magic, length, checksum or message: connection closed
    uint64_t foreign = 0;    // a well-formed Hello of another cluster, version or node: connection closed
    uint64_t untrusted = 0;  // in clear, no certificate of the cluster, or another node's: connection closed
    uint64_t unproven = 0;   // a proof that the cluster's secret did not make: connection closed
    uint64_t reborn = 0;     // another incarnation of a node than was admitted: connection closed
    uint64_t in_use = 0;     // another connection of the same node is alive: connection closed
    uint64_t turned_away = 0;  // over inbound_max
    uint64_t connects = 0;
    uint64_t connect_failures = 0;
    uint64_t unresolved = 0;  // attempts that found no address
  };

  // `deliver(from, body)` says whether the body is a message; if not, the connection is closed.
  using Deliver = std::function<bool(NodeId from, Slice body)>;
  // Told when the connection on which a peer's frames came is closed and no newer one has taken its place.
  using Closed = std::function<void(NodeId peer)>;

  ReplicaLinks(Loop& loop, ReplicaLinksOptions options, uint64_t seed);
  ~ReplicaLinks();

  // Accepts the peers' connections; returns the address with its real port. At most once.
  absl::StatusOr<Address> Listen(const Address& address);
  // Starts connecting to the peers. Before the first Send.
  void Connect(
      Deliver deliver, Closed closed = [](NodeId) {});

  // From here on these are the peers: connections to others end, new ones are dialled.
  void SetPeers(const absl::btree_map<NodeId, HostAndPort>& peers);

  // Queues a frame; written at the end of the loop's iteration with all others for that peer in one system
  // call. A long body's bytes are not copied. To nobody that is a peer: dropped.
  void Send(NodeId to, Slice body);

  bool connected(NodeId peer) const;
  // The link on which this node sends to the peer is up, and in TLS.
  bool encrypted(NodeId peer) const;
  const ReplicaTls* tls() const { return options_.tls; }
  const Counters& counters() const { return counters_; }
  // Accepted connections.
  size_t inbound() const { return incoming_.size(); }
  const Highest& most_inbound() const { return most_inbound_; }
  // Of frames that wait for their way, for the peer that has most of them.
  size_t queued_bytes() const;
  const Highest& most_queued_bytes() const { return most_queued_bytes_; }
  size_t queued_bytes_max() const { return options_.queued_bytes_max; }

 private:
  struct Outgoing;
  struct Incoming;

  void Add(NodeId id, const HostAndPort& name);
  void Begin(Outgoing& peer);
  void Attempt(Outgoing& peer);
  void OnFound(Outgoing& peer, absl::StatusOr<std::vector<Address>> found);
  void Dial(Outgoing& peer);
  void RestBeforeNextAttempt(Outgoing& peer);
  void OnOutgoing(Outgoing& peer, ConnectionEvent event);
  void OnAnswer(Outgoing& peer);
  void Lose(Outgoing& peer);
  void Flush();
  void HandOver(Outgoing& peer);
  void Take(Fd fd, const Address& address);
  void OnIncoming(uint64_t id, ConnectionEvent event);
  void OnReadable(uint64_t id);
  bool Greet(Incoming& incoming, const Slice& body);
  bool IdIsFree(NodeId node);
  bool ComesInTls(NodeId node) const;
  bool ShownAs(NodeId node, const Connection& connection);
  void Refuse(uint64_t& counter, const Address& address, std::string_view why);
  bool MayStay(ReplicaHandshake::Outcome outcome, const ReplicaHandshake& handshake, const Address& address);
  void Drop(uint64_t id);

  Loop& loop_;
  const ReplicaLinksOptions options_;
  Rng rng_;
  Counters counters_;
  Deliver deliver_;
  Closed closed_;
  absl::btree_map<NodeId, std::unique_ptr<Outgoing>> outgoing_;    // one for each member
  absl::btree_map<uint64_t, std::unique_ptr<Incoming>> incoming_;  // at most inbound_max
  uint64_t incoming_count_ = 0;
  Highest most_inbound_;
  Highest most_queued_bytes_;
  uint64_t refused_ = 0;  // since the last note
  Instant next_note_;
  Deferred flush_;
  std::optional<Acceptor> acceptor_;
};

}  // namespace bt::net
