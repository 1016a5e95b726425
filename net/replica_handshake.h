#pragma once

// ReplicaHandshake: what two nodes say on a new connection before any message, each frame's body one word of
// it: the node that dialled says Hello, the node that accepted answers with its own Hello. One object per
// connection and side; it does no I/O and trusts nothing that it is given.

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/base/slice.h"

namespace bt::net {

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

class ReplicaHandshake {
 public:
  enum class Outcome : uint8_t {
    kDone,       // the peer is who peer() says
    kMalformed,  // not a word of this handshake
    kForeign,    // another protocol version, cluster or node than meant
  };
  struct Step {
    Outcome outcome = Outcome::kMalformed;
    std::string answer;  // a body to send, if not empty
  };

  // Who accepts learns the peer from its Hello.
  ReplicaHandshake(uint64_t cluster, NodeId self) : cluster_(cluster), self_(self) {}
  // Who dials means `peer`.
  ReplicaHandshake(uint64_t cluster, NodeId self, NodeId peer)
      : cluster_(cluster), self_(self), dialled_(peer), peer_(peer) {}

  // The body that the dialling side sends first.
  std::string Open() const;
  Step Receive(const Slice& body);
  // Valid once kDone.
  NodeId peer() const { return peer_; }

 private:
  uint64_t cluster_;
  NodeId self_;
  std::optional<NodeId> dialled_;
  NodeId peer_;
};

}  // namespace bt::net
