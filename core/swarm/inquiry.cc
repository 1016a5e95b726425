#include "core/swarm/inquiry.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace bt::swarm {

Inquiry::Inquiry(uint32_t trackers, tracker_api::Request request, Duration limit, Timing timing,
                 uint32_t first)
    : pool_(trackers, timing, first), exchange_(timing), request_(std::move(request)), limit_(limit) {}

void Inquiry::Step(const Input<Protocol>& input, Context<Protocol>& context) {
  if (done_) return;
  if (std::holds_alternative<Started>(input)) {
    if (tracker_api::MutationId* id = MutationIdOf(request_)) {
      id->session = SessionId(context.rng.Between(1, UINT64_MAX - 1));
      id->sequence = 1;
    }
    exchange_.Start(std::move(request_));
    deadline_ = context.now + limit_;
  } else if (const auto* received = std::get_if<Received<Protocol>>(&input)) {
    std::string trouble;
    if (auto response = exchange_.Receive(received->message, pool_, context, &trouble)) {
      return Finish(*std::move(response), context);
    }
    Trouble(std::move(trouble), context);
  }
  if (context.now >= deadline_ || pool_.size() == 0) {
    tracker_api::Response response;
    response.outcome = tracker_api::Outcome::kUnavailable;
    response.reason = absl::StrCat("no tracker answered within ", limit_.seconds(), " s",
                                   last_trouble_.empty() ? "" : ": ", last_trouble_);
    return Finish(std::move(response), context);
  }
  Trouble(exchange_.Poll(pool_, ask_id_, context), context);
  context.out.Arm(Protocol::Timer::kTracker, std::min(deadline_, exchange_.deadline(pool_, context.now)));
}

void Inquiry::Trouble(std::string why, Context<Protocol>& context) {
  if (why.empty()) return;
  last_trouble_ = why;
  context.out.Note(TrackerTrouble{NodeId(exchange_.node()), std::move(why)});
}

void Inquiry::Finish(tracker_api::Response response, Context<Protocol>& context) {
  done_ = true;
  context.out.Disarm(Protocol::Timer::kTracker);
  context.out.Note(InquiryDone{std::move(response)});
}

uint64_t Inquiry::Digest() const { return ask_id_ * 2 + (done_ ? 1 : 0); }

}  // namespace bt::swarm
