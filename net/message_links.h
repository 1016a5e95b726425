#pragma once

// MessageLinks<Message>: the edge between a host and replica links. A message is encoded once, by its
// Fields, straight into the bytes that are sent; what arrives is decoded and, when it is no message,
// counted as malformed and its connection closed.

#include <absl/status/statusor.h>

#include <functional>
#include <utility>

#include "core/base/fields.h"
#include "core/base/ids.h"
#include "net/replica_links.h"

namespace bt::net {

template <class Message>
class MessageLinks {
 public:
  // Starts connecting; `deliver` gets every message that arrives (give it to Host::Deliver as Received), and
  // `closed` every peer whose connection ends (PeerClosed).
  MessageLinks(ReplicaLinks& links, std::function<void(NodeId, Message)> deliver, ReplicaLinks::Closed closed)
      : links_(links) {
    links_.Connect(
        [deliver = std::move(deliver)](NodeId from, Slice body) {
          absl::StatusOr<Message> message = Decode<Message>(body);
          if (!message.ok()) return false;
          deliver(from, *std::move(message));
          return true;
        },
        std::move(closed));
  }

  void Send(NodeId to, const Message& message) { links_.Send(to, Slice::Own(Encode(message))); }

 private:
  ReplicaLinks& links_;
};

}  // namespace bt::net
