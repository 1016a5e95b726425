#include "core/tracker/sessions.h"

#include <absl/strings/str_cat.h>

#include "core/base/check.h"
#include "core/base/digest.h"

namespace bt::tracker {

using tracker_api::MutationId;
using tracker_api::Outcome;
using tracker_api::Refuse;
using tracker_api::Response;
using tracker_api::Unavailable;

namespace {

uint64_t DigestOfSession(const Session& session) {
  RollingDigest digest;
  digest.Add(session.id.value(), session.sequence, static_cast<uint64_t>(session.used.ns),
             static_cast<uint64_t>(session.indexed.ns), static_cast<uint64_t>(session.outcome));
  if (session.registered) {
    digest.Add(BytesOf(session.registered->root));
    digest.Add(session.registered->length);
  }
  return digest.value();
}

}  // namespace

bool Sessions::ForgetOldest(Duration age) {
  const auto first = ages_.begin();
  const auto [at, id] = first->first;
  const std::optional<Source> opened_by = first->second;
  if (at + age > state_.log_time) return false;
  ++rows_;
  Session* session = state_.sessions.Change(id);
  CHECK(session != nullptr && session->indexed == at);
  ages_.erase(first);
  digest_ -= DigestOfSession(*session);
  if (session->used + age > state_.log_time) {  // used since it was indexed
    session->indexed = session->used;
    ages_.emplace(AgeKey(session->used, id), opened_by);
    digest_ += DigestOfSession(*session);
  } else {
    if (opened_by) holders_.Remove(*opened_by);
    state_.sessions.Remove(id);
  }
  return true;
}

void Sessions::AdvanceTo(Instant stamp, const Limits& limits) {
  // By log time, not by a clock: a replica that applies the log late, or again after a restart, must still
  // know a session wherever the others knew it, or it would execute a copy that they skipped.
  CHECK(stamp >= state_.log_time);
  state_.log_time = stamp;
  for (uint32_t i = 0; i < limits.expiries_per_command && !ages_.empty(); ++i) {
    if (!ForgetOldest(limits.session_lifetime)) return;
  }
}

// A full table forgets only sessions that were not used for session_eviction_age, because a caller that got
// no answer repeats its mutation for a while and must meet its session. Where all were used since, who comes
// new is refused, and nobody who is there loses its session.
std::optional<Response> Sessions::Known(const MutationId& id, const Limits& limits) {
  const Session* last = state_.sessions.Find(id.session);
  if (last == nullptr || Expired(*last, limits)) {
    // Of a session that is forgotten nobody can tell any more whether this mutation was executed. Only a
    // first one can be new; any other is refused, and the caller begins again under an id that cannot be in
    // the log.
    if (id.sequence != 1) {
      return Refuse(Outcome::kSessionExpired, "session expired: open a new one, with sequence 1");
    }
    if (last != nullptr) return std::nullopt;
    for (uint32_t i = 0; i < limits.expiries_per_command && size() >= limits.sessions; ++i) {
      if (!ForgetOldest(limits.session_eviction_age)) break;
    }
    if (size() < limits.sessions) return std::nullopt;
    return Unavailable(absl::StrCat("all ", limits.sessions, " sessions of this cluster are in use"),
                       limits.session_eviction_age);
  }
  if (id.sequence > last->sequence) return std::nullopt;
  if (id.sequence < last->sequence) {
    return Refuse(Outcome::kInvalid,
                  absl::StrCat("sequence ", id.sequence, " is stale: the session is at ", last->sequence));
  }
  return Answered(id, limits);
}

std::optional<Response> Sessions::Answered(const MutationId& id, const Limits& limits) const {
  const Session* last = state_.sessions.Find(id.session);
  if (last == nullptr || Expired(*last, limits) || last->sequence != id.sequence) return std::nullopt;
  Response response;
  response.outcome = last->outcome;
  response.reason = last->reason;
  if (last->registered) response.body = tracker_api::Registered{*last->registered};
  return response;
}

void Sessions::Record(const MutationId& id, Source source, const Response& response) {
  // It did nothing, and a retry under the same id may still do it.
  if (LeftNoTrace(response.outcome)) return;
  Session* session = state_.sessions.Change(id.session);
  if (session == nullptr) {
    session = &state_.sessions.Add({.id = id.session, .indexed = state_.log_time});
    holders_.Add(source);
    ages_.emplace(AgeKey(state_.log_time, id.session), source);
    most_.Note(size());
  } else {
    digest_ -= DigestOfSession(*session);
  }
  session->sequence = id.sequence;
  session->used = state_.log_time;
  session->outcome = response.outcome;
  session->reason = response.reason;
  session->registered.reset();
  if (const auto* body = std::get_if<tracker_api::Registered>(&response.body)) {
    session->registered = body->content;
  }
  digest_ += DigestOfSession(*session);
}

absl::StatusOr<bool> Sessions::IndexNext() {
  const auto row = static_cast<uint32_t>(ages_.size());
  if (row == size()) {
    most_.Note(size());
    return false;
  }
  const Session& session = state_.sessions.at(row);
  if (session.indexed > session.used || session.used > state_.log_time) {
    return absl::DataLossError(absl::StrCat("the table of sessions contradicts itself: session ",
                                            session.id.value(), " was used after the log's time"));
  }
  ages_.emplace(AgeKey(session.indexed, session.id), std::nullopt);
  digest_ += DigestOfSession(session);
  return true;
}

void Sessions::AddAlarms(const Limits& limits, std::vector<tracker_api::Alarm>& alarms) const {
  constexpr size_t kNamed = 3;
  if (size() < limits.sessions) return;
  alarms.push_back(
      {"sessions",
       absl::StrCat(
           "all ", limits.sessions,
           " sessions are in use: mutations of new ones are answered 503 until one has not been used for ",
           limits.session_eviction_age.seconds(), " s",
           MostAreOf(holders_.Largest(kNamed), [&](Source source) { return holders_.Of(source); }))});
}

void Sessions::CheckInvariants() const { CHECK(ages_.size() == size()); }

}  // namespace bt::tracker
