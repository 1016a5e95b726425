#include "core/tracker/sessions.h"

#include <absl/strings/str_cat.h>

#include "core/base/check.h"

namespace bt::tracker {

using tracker_api::MutationId;
using tracker_api::Outcome;
using tracker_api::Response;

namespace {

Response Refusal(Outcome outcome, std::string reason, Duration retry_after) {
  Response response;
  response.outcome = outcome;
  response.reason = std::move(reason);
  response.retry_after = retry_after;
  return response;
}

}  // namespace

bool Sessions::ForgetOldest(Duration age) {
  const auto first = ages_.begin();
  const auto [at, id] = *first;
  if (at + age > log_time_) return false;
  const auto found = sessions_.find(id);
  CHECK(found != sessions_.end() && found->second.indexed == at);
  ages_.erase(first);
  Entry& entry = found->second;
  if (entry.used + age > log_time_) {  // used since it was indexed
    entry.indexed = entry.used;
    ages_.insert({entry.used, id});
  } else {
    digest_.Add(id.value());
    sessions_.erase(found);
  }
  return true;
}

void Sessions::AdvanceTo(Instant stamp) {
  CHECK(stamp >= log_time_);
  log_time_ = stamp;
  for (uint32_t i = 0; i < kExpiriesPerStep && !ages_.empty(); ++i) {
    if (!ForgetOldest(kSessionLifetime)) return;
  }
}

std::optional<Response> Sessions::Known(const MutationId& id) {
  const auto found = sessions_.find(id.session);
  if (found == sessions_.end() || Expired(found->second)) {
    if (id.sequence != 1) return Refusal(Outcome::kUnavailable, tracker_api::kSessionExpired, Duration{});
    if (found != sessions_.end()) return std::nullopt;
    for (uint32_t i = 0; i < kExpiriesPerStep && sessions_.size() >= limit_; ++i) {
      if (!ForgetOldest(kSessionEvictionAge)) break;
    }
    if (sessions_.size() < limit_) return std::nullopt;
    return Refusal(Outcome::kUnavailable,
                   absl::StrCat("all ", limit_, " sessions of this cluster are in use"), kSessionEvictionAge);
  }
  const Entry& last = found->second;
  if (id.sequence > last.sequence) return std::nullopt;
  if (id.sequence < last.sequence) {
    return Refusal(Outcome::kInvalid,
                   absl::StrCat("sequence ", id.sequence, " is stale: the session is at ", last.sequence),
                   Duration{});
  }
  Response response;
  response.outcome = last.outcome;
  response.reason = last.reason;
  if (last.registered) response.body = tracker_api::Registered{*last.registered};
  return response;
}

void Sessions::Record(const MutationId& id, const Response& response) {
  if (response.outcome == Outcome::kUnavailable) return;
  const auto [found, added] = sessions_.try_emplace(id.session);
  Entry& entry = found->second;
  if (added) {
    entry.indexed = log_time_;
    ages_.insert({log_time_, id.session});
  }
  entry.sequence = id.sequence;
  entry.used = log_time_;
  entry.outcome = response.outcome;
  entry.reason = response.reason;
  entry.registered.reset();
  if (const auto* body = std::get_if<tracker_api::Registered>(&response.body))
    entry.registered = body->content;
  digest_.Add(id.session.value());
  digest_.Add(id.sequence << 8 | static_cast<uint64_t>(response.outcome));
}

void Sessions::CheckInvariants() const {
  CHECK(ages_.size() == sessions_.size());
  CHECK(sessions_.size() <= limit_);
}

}  // namespace bt::tracker
