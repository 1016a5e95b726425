#pragma once

// BulkReceiver: puts the long messages of one peer together again, from chunks in any order and any number of
// times. Each chunk is acknowledged at once, with the number of the assembly that it went into: a sender that
// is told of another one than before begins again. A message is delivered once as long as it is remembered
// that it was (the last kDeliveredMax of each peer); beyond, twice, as the network may.
//
// Invariant: assemblies hold no more bytes than Config::bulk_queued_bytes_max, or one message. One that
// nothing came for in Config::bulk_idle makes room for others.

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "core/base/highest.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

// The longest message that is put together: as long as a frame of the links.
inline constexpr uint64_t kLongMessageBytesMax = 32u << 20;

class BulkReceiver {
 public:
  struct Taken {
    std::optional<ChunkAck> ack;   // without `presence`
    std::optional<Slice> message;  // complete now
  };

  // `config` must outlive it. `first`: numbers of assemblies begin here; they differ between lives of a node.
  BulkReceiver(const Config& config, uint64_t first) : config_(config), next_assembly_(first) {}

  Taken Take(const Chunk& chunk, Instant now);
  // For judges: what Take would make complete.
  std::optional<Slice> Completes(const Chunk& chunk) const;

  size_t held() const { return assemblies_.size(); }
  size_t held_bytes() const { return held_bytes_; }
  const Highest& most_held() const { return most_held_; }
  const Highest& most_held_bytes() const { return most_held_bytes_; }
  uint64_t refused() const { return refused_; }  // chunks: impossible, or no room
  void CheckInvariants() const;

 private:
  static constexpr size_t kDeliveredMax = 256;

  struct Assembly {
    uint64_t number = 0;
    std::string bytes;  // at most kLongMessageBytesMax
    // At most one for each chunk_bytes_min of bytes.
    absl::btree_map<uint64_t, uint64_t> parts;  // offset -> bytes, disjoint
    uint64_t received = 0;
    Instant touched;
  };
  struct Delivered {
    uint64_t message = 0;
    uint64_t assembly = 0;
  };

  const Delivered* FindDelivered(uint64_t message) const;
  Assembly* FindOrBegin(const Chunk& chunk, Instant now);

  const Config& config_;
  uint64_t next_assembly_;
  // At most bulk_messages_max.
  absl::btree_map<uint64_t, Assembly> assemblies_;  // by the sender's number of the message
  size_t held_bytes_ = 0;
  Highest most_held_;
  Highest most_held_bytes_;
  std::deque<Delivered> delivered_;  // at most kDeliveredMax
  uint64_t refused_ = 0;
};

}  // namespace bt::tracker
