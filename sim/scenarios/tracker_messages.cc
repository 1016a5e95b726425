#include "sim/scenarios/tracker_messages.h"

#include <type_traits>

namespace bt::sim {

std::vector<size_t> SizesOf(const tracker::ForwardCommands& message) {
  std::vector<size_t> sizes;
  for (const Slice& command : message.commands) sizes.push_back(command.size());
  return sizes;
}

std::vector<tracker_api::MutationId> IdsOf(const tracker::ForwardReplies& message) {
  std::vector<tracker_api::MutationId> ids;
  for (const tracker::ForwardReply& reply : message.replies) ids.push_back(reply.id);
  return ids;
}

tracker_api::Request QueryIn(const tracker_api::Request& request) {
  return std::visit(
      [](const auto& known) -> tracker_api::Request {
        if constexpr (requires { known.id; }) {
          return std::decay_t<decltype(known)>();
        } else {
          return known;
        }
      },
      request);
}

bool ReadsLinearizably(const tracker_api::Request& request) {
  return std::visit(
      [](const auto& known) {
        if constexpr (requires { known.linearizable; }) {
          return known.linearizable;
        } else {
          return false;
        }
      },
      request);
}

}  // namespace bt::sim
