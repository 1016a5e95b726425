#pragma once

// RegistryClient: a client of the tracker cluster that is all workload: it registers, fetches, offers,
// withdraws, looks up and announces, one operation at a time, retries mutations under the same id at other
// nodes until they are answered, and writes everything into the RegistryHistory.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/torrent/metainfo.h"
#include "core/tracker_api/tracker_api.h"
#include "sim/check/registry_history.h"
#include "sim/network.h"
#include "sim/scenarios/tracker_cluster.h"
#include "sim/world.h"

namespace bt::sim {

// Contents the clients register and claim; made once per process. Numbers from 1.
const Metainfo& TestContent(ContentNumber number);
inline constexpr ContentNumber kTestContents = 6;
// The number of a content, 0 when it is none of these.
ContentNumber NumberOf(const ContentId& content);

struct RegistryWorkload {
  uint32_t names = 6;
  Duration think_max = Milliseconds(200);  // between operations
  uint32_t operations = 60;
};

class RegistryClient final : public EventSink, public Endpoint {
 public:
  RegistryClient(World& world, Network& network, TrackerCluster& cluster, RegistryHistory& history,
                 RegistryWorkload workload);

  void Begin();
  // The faults are over: a few more operations, and then none.
  void Hurry() { operations_left_ = std::min(operations_left_, kLastOperations); }
  // After healing: looks at everything that was ever acknowledged, and then is done.
  void Verify();
  bool idle() const { return !op_.has_value() && operations_left_ == 0 && to_verify_.empty(); }
  uint32_t index() const { return index_; }
  std::string Situation() const;

  void Fire(uint64_t argument) override;
  void Deliver(uint32_t from, const Slice& bytes) override;

 private:
  static constexpr uint32_t kLastOperations = 20;

  enum class Kind : uint64_t { kNext, kTimeout, kRetry };
  enum class What : uint8_t { kRegister, kFetch, kOffer, kWithdraw, kLookup, kAnnounce };
  struct Op {
    What what;
    std::string name;
    ContentNumber content = 0;
    bool linearizable = true;
    bool verifies = false;
    std::optional<PieceMap> pieces;
    RegistryHistory::OpId history = 0;
    tracker_api::Request request;
    uint64_t attempts = 0;
  };

  Address peer() const;
  RegistryHistory::ClaimKey claim(ContentNumber content) const { return {index_, content}; }
  void StartOp(Op op);
  Op DrawOp();
  void Attempt();
  void Retry();
  void Finish();
  void OnAnswer(const tracker_api::Response& response);
  // False: no answer that may come.
  bool OnRegistered(const Op& op, const tracker_api::Response& response);
  bool OnFetched(const Op& op, const tracker_api::Response& response);
  void OnLookup(const Op& op, const tracker_api::Response& response);
  void After(Duration delay, Kind kind, uint64_t detail = 0);

  World& world_;
  Network& network_;
  TrackerCluster& cluster_;
  RegistryHistory& history_;
  RegistryWorkload workload_;
  uint32_t index_;
  Rng rng_;
  SessionId session_;
  uint64_t sequence_ = 0;
  uint64_t next_ask_ = 0;
  uint64_t first_ask_ = 0;  // of the operation under way
  uint32_t asked_ = 0;
  std::optional<Op> op_;
  uint32_t operations_left_ = 0;
  std::deque<Op> to_verify_;
};

}  // namespace bt::sim
