#pragma once

// EdgeTranslation: what requests and answers pass through between the simulated clients of a tracker and its
// nodes. The simulator itself hands them over as they are; whoever has an edge to test (a wire format, an
// API) puts its pure functions here and runs a scenario through them.

#include <variant>

#include "core/tracker_api/tracker_api.h"

namespace bt::sim {

class EdgeTranslation {
 public:
  virtual ~EdgeTranslation() = default;

  // The request as the node is asked it, or the answer of an edge that does not ask it.
  virtual std::variant<tracker_api::Request, tracker_api::Response> Ask(
      const tracker_api::Request& request) const = 0;
  // The node's answer to `request` as the client reads it.
  virtual tracker_api::Response Answer(const tracker_api::Request& request,
                                       const tracker_api::Response& response) const = 0;
};

}  // namespace bt::sim
