#pragma once

// Sessions: exactly once. Session id -> the last sequence applied and its response; replicated state.
// Invariant: a mutation of a live session takes effect at most once, however often it is in the log.
// Sessions are forgotten by log time alone. Used by ReplicatedState, around Registry::Apply.
//
// Why this holds (Lamport's state machine with client sessions, as in Ongaro's thesis, section 6.3): a
// command may be in the log several times, because whoever proposed it cannot know what became of it when its
// leader changed. All copies carry one id. The first copy that is applied moves the session's sequence to its
// own; every later copy meets a sequence not below its own, and is answered and not executed. A client sends
// a sequence only after the one before was answered, so a sequence gone by is never needed again, and one row
// is enough. The table is part of the state that the log determines, so all replicas skip the same copies.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/highest.h"
#include "core/base/time.h"
#include "core/tracker/dense_table.h"
#include "core/tracker/holders.h"
#include "core/tracker/limits.h"
#include "core/tracker/source.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::tracker {

struct Session {
  SessionId id;
  uint64_t sequence = 0;
  Instant used;     // log time of the last mutation
  Instant indexed;  // where the age index has it: at most `used`
  tracker_api::Outcome outcome = tracker_api::Outcome::kOk;
  std::optional<ContentId> registered;
  std::string reason;  // for people; no part of the digest

  SessionId key() const { return id; }
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("sequence", self.sequence);
    visit("used", self.used);
    visit("indexed", self.indexed);
    visit("outcome", self.outcome);
    visit("registered", self.registered);
    visit("reason", self.reason);
  }
};

struct SessionsState {
  Instant log_time{};
  DenseTable<Session> sessions;
};

class Sessions {
 public:
  Sessions() = default;
  // Takes up where another's state() was, when IndexNext has been true once for each of its rows.
  explicit Sessions(SessionsState state) : state_(std::move(state)) {}
  // True: one row more is indexed. False: all are. kDataLoss says what in the state contradicts what.
  absl::StatusOr<bool> IndexNext();

  // Moves log time on; forgets a few sessions that are due.
  void AdvanceTo(Instant stamp, const Limits& limits);

  // The response of a mutation that must not be executed: a duplicate's first response, or a refusal (a
  // sequence gone by, an unknown session not at its start, a full table). nullopt: execute it.
  std::optional<tracker_api::Response> Known(const tracker_api::MutationId& id, const Limits& limits);
  // The response of the last mutation of a live session, if that is `id`.
  std::optional<tracker_api::Response> Answered(const tracker_api::MutationId& id,
                                                const Limits& limits) const;
  // After execution of what `source` has asked for. A mutation that left no trace is not recorded.
  void Record(const tracker_api::MutationId& id, Source source, const tracker_api::Response& response);

  const SessionsState& state() const { return state_; }
  // For StateWalk, which changes nothing that state() shows.
  SessionsState& mutable_state() { return state_; }
  uint64_t size() const { return state_.sessions.size(); }
  const Highest& most() const { return most_; }
  // A full table is an alarm that names who opened most of them, as far as this node has seen.
  void AddAlarms(const Limits& limits, std::vector<tracker_api::Alarm>& alarms) const;
  // A function of the state, kept up at O(1) a command: the sum of a digest of each session.
  uint64_t digest() const { return digest_; }
  // Sessions that were looked at to forget them, ever. No part of the state.
  uint64_t rows() const { return rows_; }
  void CheckInvariants() const;

 private:
  using AgeKey = std::pair<Instant, SessionId>;

  bool Expired(const Session& session, const Limits& limits) const {
    return session.used + limits.session_lifetime <= state_.log_time;
  }
  // Brings the front of the age index up to date; false when the oldest session is younger than `age`.
  bool ForgetOldest(Duration age);

  SessionsState state_;
  // Rebuilt from the state.
  // Exactly one per session, with who opened it: for the alarm of a full table, and not known of those that
  // came with the state.
  absl::btree_map<AgeKey, std::optional<Source>> ages_;  // one for each of `sessions`
  uint64_t digest_ = 0;
  uint64_t rows_ = 0;
  Highest most_;
  Holders holders_;  // of those of which it is known
};

}  // namespace bt::tracker
