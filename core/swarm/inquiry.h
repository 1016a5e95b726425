#pragma once

// Inquiry: a tiny machine that puts one request to whichever tracker answers: failover, back-off, one
// overall deadline, and the same MutationId on every retry. Its result is the note InquiryDone. For the
// command line's register, status and list; hosted exactly like a Client.

#include <cstdint>

#include "core/machine/machine.h"
#include "core/swarm/config.h"
#include "core/swarm/protocol.h"
#include "core/swarm/tracker_session.h"

namespace bt::swarm {

class Inquiry final {
 public:
  using Protocol = swarm::Protocol;

  // A mutation's id is filled in here. `first` is the tracker asked first.
  Inquiry(uint32_t trackers, tracker_api::Request request, Duration limit, Timing timing = {},
          uint32_t first = 0);

  void Step(const Input<Protocol>& input, Context<Protocol>& context);

  void CheckInvariants() const {}
  uint64_t Digest() const;
  bool done() const { return done_; }

 private:
  void Finish(tracker_api::Response response, Context<Protocol>& context);
  void Trouble(std::string why, Context<Protocol>& context);

  TrackerPool pool_;
  Exchange exchange_;
  tracker_api::Request request_;
  Duration limit_;
  Instant deadline_ = Instant::Never();
  uint64_t ask_id_ = 0;
  std::string last_trouble_;  // at most one sentence
  bool done_ = false;
};

}  // namespace bt::swarm
