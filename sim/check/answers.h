#pragma once

// AnswerJudge: what the callers of one node are owed, whatever happens to the cluster: one answer to each
// call, no second one, and within the node's deadline by its own clock, times in which the process was
// stalled left out. Once a majority has been healed (availability.h says from when), promptly.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <string>
#include <utility>

#include "core/base/ids.h"
#include "core/base/time.h"
#include "sim/world.h"

namespace bt::sim {

class AnswerJudge {
 public:
  // A caller that is no client.
  static constexpr uint32_t kOperator = UINT32_MAX;

  AnswerJudge(World& world, std::string node) : world_(world), node_(std::move(node)) {}

  // A life begins; `now` is the node's own clock, here and below.
  void OnStart(Instant now, Duration bound);
  // `more`: it may take so much longer than the bound, and than promptly.
  void OnCall(CallId call, uint32_t client, Instant now, Duration more = {});
  // Nobody waits for the answer any more. One may still come, for the node may not have heard of it.
  void OnHungUp(CallId call);
  void OnReply(CallId call, Instant now);
  void OnStep(Instant now);
  // The process is gone, and its callers see their connections close.
  void OnEnded();
  // From this time of the world on nothing keeps the node from answering within `within`.
  void ExpectPromptness(Instant from, Duration within);

  // Nobody waits.
  bool idle() const { return open_.empty(); }

 private:
  struct Open {
    uint32_t client;
    Instant since;
    Instant since_in_world;
    Duration stalled_before;
    Duration more;
  };
  void NoticeStall(Instant now);
  void JudgeWait(const Open& call, Instant now);

  World& world_;
  std::string node_;
  Duration bound_;
  Instant prompt_from_ = Instant::Never();
  Duration prompt_within_;
  absl::btree_map<CallId, Open> open_;   // in order of arrival
  absl::flat_hash_set<CallId> hung_up_;  // look-up only
  Instant last_step_{0};
  Duration stalled_{0};  // in all: longer than any node is silent while it runs
};

}  // namespace bt::sim
