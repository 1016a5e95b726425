#pragma once

// RegistryClient: a client of the tracker cluster that is all workload: it asks for everything there is to
// ask (registry_operation.h), one operation at a time, retries under the same id at other nodes until it is
// answered, and hands what it learns to the judges. registry_client.cc sends; registry_answers.cc judges.
//
// The first mutation of each of its sessions is a registration. A cluster that has forgotten a session takes
// a late copy of its first mutation for a new one and executes it again; a registration can be repeated at
// any later time without harm.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/tracker_api/tracker_api.h"
#include "sim/check/claims.h"
#include "sim/check/listing.h"
#include "sim/check/registry_history.h"
#include "sim/check/sessions.h"
#include "sim/network.h"
#include "sim/scenarios/edge_translation.h"
#include "sim/scenarios/registry_operation.h"
#include "sim/scenarios/tracker_cluster.h"
#include "sim/world.h"

namespace bt::sim {

struct RegistryWorkload {
  uint32_t clients = 1;
  uint32_t strangers = 0;  // claims of a content that are of others than these
  uint32_t names = 6;
  Duration think_max = Milliseconds(200);  // between operations
  uint32_t operations = 60;
  uint32_t churn_percent = 0;  // of the operations begin a new session
  SessionsJudge::Lifetimes sessions;
  const EdgeTranslation* edge = nullptr;  // outlives the client
};

class RegistryClient final : public EventSink, public Endpoint {
 public:
  RegistryClient(World& world, Network& network, TrackerCluster& cluster, RegistryHistory& history,
                 ClaimsJudge& claims, RegistryWorkload workload);

  void Begin();
  // The faults are over: a few more operations, and then none.
  void Hurry() { operations_left_ = std::min(operations_left_, kLastOperations); }
  // After healing: looks at everything that was ever acknowledged, and then is done.
  void Verify();
  // Repeats its last mutations, under their ids.
  void Repeat();
  // Announces a content that is registered; what it said has to be in the replicated state soon: LookForIt
  // looks.
  void AnnounceLast();
  void LookForIt();
  bool idle() const { return !op_.has_value() && operations_left_ == 0 && queued_.empty(); }
  uint32_t index() const { return index_; }
  std::string Situation() const;

  void Fire(uint64_t argument) override;
  void Deliver(uint32_t from, const Slice& bytes) override;

 private:
  using Op = RegistryOperation;
  using What = RegistryOperation::What;
  static constexpr uint32_t kLastOperations = 20;

  enum class Kind : uint64_t { kNext, kTimeout, kRetry };
  using Packed = EventArgument<0, Kind>;  // and a number
  // A mutation that the log has answered.
  struct Known {
    tracker_api::MutationId id;
    tracker_api::Request request;
    tracker_api::Outcome outcome;
  };

  Address peer() const { return AddressAt(6881); }
  Address announcer() const { return AddressAt(6999); }
  Address AddressAt(uint16_t port) const;
  ClaimsJudge::Key claim(ContentNumber content) const { return {index_, content}; }
  RegistryAsker asker() {
    return {peer(),
            announcer(),
            {session_, sequence_ + 1},
            cluster_.levels().in_force() >= tracker::kTreeLevel,
            Nobody()};
  }
  Address Nobody();

  // --- registry_client.cc ---
  void NewSession();
  Op DrawOp();
  Op Repetition(const Known& known, bool stale) const;
  void Queue(Op op);
  void StartOp(Op op);
  void Attempt();
  void Received(uint64_t ask, const tracker_api::Response& response);
  void Retry();
  void Finish();
  void After(Duration delay, Kind kind, uint64_t detail = 0);

  // --- registry_answers.cc ---
  // The answers that end an operation.
  void OnAnswer(const tracker_api::Response& response);
  void OnSessionExpired();
  // False: no answer that may come.
  bool Accepts(const tracker_api::Response& response);
  bool OnRegistered(const tracker_api::Response& response);
  bool OnFetched(const tracker_api::Response& response);
  bool OnClaimChanged(const tracker_api::Response& response);
  bool OnAnnounced(const tracker_api::Response& response);
  bool OnScraped(const tracker_api::Response& response) const;
  bool OnListed(const tracker_api::Response& response);
  bool OnLookup(const tracker_api::Response& response);
  void LookedForAnnounced(const tracker_api::Peers& peers);
  void Remember(const tracker_api::Response& response);

  World& world_;
  Network& network_;
  TrackerCluster& cluster_;
  RegistryHistory& history_;
  ClaimsJudge& claims_;
  RegistryWorkload workload_;
  uint32_t index_;
  RandomStream rng_;
  RandomStream nobodies_;
  SessionsJudge sessions_;
  SessionId session_;
  uint64_t sequence_ = 0;  // the last one that the log has answered
  std::optional<Known> last_;
  std::optional<Known> before_last_;
  uint64_t next_ask_ = 0;
  uint64_t first_ask_ = 0;  // of the operation under way
  uint32_t asked_ = 0;
  std::optional<Op> op_;
  Instant op_asked_{};  // log time when it was first asked for
  Instant op_asked_session_time_{};
  std::optional<ListingJudge> walk_;
  std::optional<tracker_api::Announce> announced_;  // with AnnounceLast
  uint32_t operations_left_ = 0;
  std::deque<Op> queued_;
};

}  // namespace bt::sim
