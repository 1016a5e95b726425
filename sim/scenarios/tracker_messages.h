#pragma once

// What judges read in the messages between tracker nodes, and in what clients ask of them.

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/fields.h"
#include "core/base/slice.h"
#include "core/tracker/protocol.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::sim {

// The outer variant's first alternative is the replica's message.
inline bool IsReplicaMessage(const Slice& message) { return message.view()[0] == 0; }

// The message of this kind in these bytes, if they hold one.
template <class Kind>
std::optional<Kind> Read(const Slice& bytes) {
  static const auto kKind = static_cast<char>(tracker::Protocol::Message(Kind()).index());
  if (bytes.view()[0] != kKind) return std::nullopt;
  absl::StatusOr<tracker::Protocol::Message> message = Decode<tracker::Protocol::Message>(bytes);
  if (!message.ok()) return std::nullopt;
  return std::get<Kind>(*std::move(message));
}

// The same of what replicas say, in a replica's message.
template <class Kind>
std::optional<Kind> ReadReplicas(const Slice& message) {
  static const auto kKind = static_cast<char>(paxos::Message(Kind()).index());
  if (message.view()[1] != kKind) return std::nullopt;
  absl::StatusOr<paxos::Message> decoded = Decode<paxos::Message>(message.From(1));
  if (!decoded.ok()) return std::nullopt;
  return std::get<Kind>(*std::move(decoded));
}

// The bytes of each command.
std::vector<size_t> SizesOf(const tracker::ForwardCommands& message);
std::vector<tracker_api::MutationId> IdsOf(const tracker::ForwardReplies& message);

// What is asked, of a mutation its kind alone.
tracker_api::Request QueryIn(const tracker_api::Request& request);
bool ReadsLinearizably(const tracker_api::Request& request);

}  // namespace bt::sim
