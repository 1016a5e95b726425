#pragma once

// Bulk: how long messages of this node travel, so that none that is short waits behind one: of what a step
// sends, each message longer than a chunk to its peer is taken out and goes in chunks (bulk_sender.h,
// bulk_receiver.h), from whatever part of the node it is. One that rests on a write is queued when that write
// is durable.
//
// Each chunk and each acknowledgement carries the sender's presence (paxos::Presence): who hears a part of a
// long message has heard from its sender.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/paxos/replica.h"
#include "core/tracker/bulk_receiver.h"
#include "core/tracker/bulk_sender.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

class Bulk {
 public:
  // `config` must outlive it.
  explicit Bulk(const Config& config) : config_(config) {}

  // `seed` differs at every start of every node. `durable`: what recovery found.
  void Start(uint64_t seed, WriteSeq durable);

  // The message that `chunk` completes. Malformed ones are dropped.
  std::optional<Protocol::Message> OnChunk(NodeId from, const Chunk& chunk, Context<Protocol>& context);
  void OnAcknowledged(NodeId from, const ChunkAck& ack, Instant now);
  // `promised`: by the replica. Nobody waits any more for a promise of a lower ballot.
  void OnDurable(WriteSeq durable, paxos::Ballot promised, Context<Protocol>& context);
  void OnTimer(Instant now);
  // The end of a step: takes long messages out of what is sent, and sends the chunks that may go.
  void Flush(const paxos::Replica& replica, Context<Protocol>& context);
  Instant next_timer() const;

  // A message to this peer of at most so many bytes is not cut.
  size_t chunk_bytes(NodeId to) const;
  // Whether this message is on its way to the peer in chunks, or has arrived lately.
  bool Knows(NodeId to, const Protocol::Message& message, Instant now) const;
  // When a chunk came or was acknowledged last.
  Instant progress() const { return progress_; }
  // Of the node that has most of it: long messages queued for it or half arrived from it, and their bytes.
  struct OfOneNode {
    uint64_t messages = 0;
    uint64_t bytes = 0;
  };
  OfOneNode now() const;
  OfOneNode most() const;
  // Long messages that did not arrive, or could not be read; chunks refused.
  uint64_t lost() const;
  // For judges: the encoded message that `chunk` would complete.
  std::optional<Slice> Completes(NodeId from, const Chunk& chunk) const;

  size_t peers() const { return peers_.size(); }

  void CheckInvariants() const;
  uint64_t Digest() const;

  // More than there can be members at a time, for each that was replaced had an id of its own.
  static constexpr size_t kPeersMax = 64;

 private:
  struct Peer {
    BulkSender sender;
    BulkReceiver receiver;
    std::vector<ChunkAck> acks;  // of this step; at most one a step
  };
  // Waits for its write.
  struct Held {
    NodeId to;
    uint64_t key = 0;
    Slice message;
    WriteSeq after;
    paxos::Ballot promise;  // if it is one
  };

  Peer& Of(NodeId node);
  void ForgetOne();
  void Divert(Context<Protocol>& context);
  void Queue(NodeId to, uint64_t key, Slice message, Context<Protocol>& context);

  const Config& config_;
  uint64_t seed_ = 0;
  uint64_t forgotten_ = 0;  // peers
  WriteSeq durable_;
  // lint: allow(limit): one for each member that there was since the start
  absl::btree_map<NodeId, Peer> peers_;
  std::vector<Held> held_;  // at most bulk_messages_max
  Instant progress_{};
  uint64_t lost_ = 0;
};

}  // namespace bt::tracker
