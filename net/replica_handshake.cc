#include "net/replica_handshake.h"

#include <absl/status/statusor.h>

#include "core/base/fields.h"

namespace bt::net {

std::string ReplicaHandshake::Open() const {
  return Encode(ReplicaHello{.cluster = cluster_, .from = self_, .to = peer_});
}

ReplicaHandshake::Step ReplicaHandshake::Receive(const Slice& body) {
  const absl::StatusOr<ReplicaHello> hello = Decode<ReplicaHello>(body);
  if (!hello.ok()) return {Outcome::kMalformed, {}};
  const NodeId from = dialled_.value_or(hello->from);
  if (*hello != ReplicaHello{.cluster = cluster_, .from = from, .to = self_}) return {Outcome::kForeign, {}};
  peer_ = from;
  return {Outcome::kDone, dialled_ ? std::string() : Open()};
}

}  // namespace bt::net
