#include "nodes/tracker/call_router.h"

#include <utility>

#include "core/base/check.h"

namespace bt::nodes {

CallRouter::CallRouter(Deliver deliver, size_t limit) : deliver_(std::move(deliver)), limit_(limit) {}

std::optional<CallId> CallRouter::Open(CallOrigin& origin, uint64_t number) {
  if (calls_.size() >= limit_) return std::nullopt;
  const CallId call(next_call_++);
  calls_.emplace(call, Origin{&origin, number});
  most_.Note(calls_.size());
  return call;
}

void CallRouter::Ask(CallId call, tracker::Protocol::Request request) {
  CHECK(calls_.contains(call));
  deliver_(Call<tracker::Protocol>{call, std::move(request)});
}

void CallRouter::Cancel(CallId call) {
  if (calls_.erase(call) > 0) deliver_(CallCancelled{call});
}

void CallRouter::OnReply(CallId call, tracker_api::Response response) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  const Origin origin = found->second;
  calls_.erase(found);
  origin.edge->OnReply(origin.number, std::move(response));
}

}  // namespace bt::nodes
