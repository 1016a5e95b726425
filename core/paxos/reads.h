#pragma once

// Linearizable reads without a clock (read-index): a read may be served at slot s once a quorum has
// answered a heartbeat round that began after the read arrived, and s was chosen by then. One round
// serves all reads that were waiting when it began. Part of Leader; gone when the leader steps down.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/ids.h"

namespace bt::paxos {

class Reads {
 public:
  size_t size() const { return waiting_.size() + asked_.size(); }
  bool waiting() const { return !waiting_.empty(); }
  // Some read waits for a round that has begun.
  bool asked() const { return !asked_.empty(); }

  void Add(CallId call) { waiting_.push_back(call); }
  // Heartbeat round `round` begins now, and `chosen` is this leader's watermark.
  void Begin(uint64_t round, Slot chosen);

  struct Ready {
    CallId call;
    Slot slot;
  };
  // A quorum has answered `round` or a later one.
  std::vector<Ready> Confirm(uint64_t round);
  // Everything that is still waiting, to be refused.
  std::vector<CallId> TakeAll();

 private:
  struct Asked {
    uint64_t round = 0;
    Ready ready;
  };
  std::vector<CallId> waiting_;
  std::deque<Asked> asked_;
};

}  // namespace bt::paxos
