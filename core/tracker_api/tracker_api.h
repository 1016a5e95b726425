#pragma once

// What a client may ask a tracker, and the answers: the vocabulary shared by the client machine, the
// tracker machine, and the HTTP translation in nodes/; and the messages in which it travels.

#include <cstdint>
#include <string>

#include "core/tracker_api/answers.h"
#include "core/tracker_api/requests.h"
#include "core/tracker_api/torrent_key.h"

namespace bt::tracker_api {

// --- the client machine's messages: one request to, and one answer from, a tracker node ---

struct Ask {
  uint64_t id = 0;  // unique within the client
  Request request;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("request", self.request);
  }
  friend bool operator==(const Ask&, const Ask&) = default;
};
struct Answer {
  uint64_t id = 0;
  Response response;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("response", self.response);
  }
  friend bool operator==(const Answer&, const Answer&) = default;
};
// The node could not be asked (refused, reset, timed out): the edge's word for it.
struct Unreachable {
  uint64_t id = 0;
  std::string why;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("why", self.why);
  }
  friend bool operator==(const Unreachable&, const Unreachable&) = default;
};

}  // namespace bt::tracker_api
