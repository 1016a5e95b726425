#pragma once

// Linearizable reads without a clock (read-index; Ongaro, "Consensus: Bridging Theory and Practice", 6.4): a
// read may be served at slot s once a quorum has answered a heartbeat that was sent after the read arrived,
// and s was chosen by then. One heartbeat serves all reads that were waiting when it was sent. Part of
// Leader; gone when the leader steps down.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/digest.h"
#include "core/base/ids.h"

namespace bt::paxos {

class Reads {
 public:
  size_t size() const { return waiting_.size() + asked_.size(); }
  bool waiting() const { return !waiting_.empty(); }
  // Some read waits for the answers to a heartbeat.
  bool asked() const { return !asked_.empty(); }

  void Add(CallId call) { waiting_.push_back(call); }
  // Heartbeat `beat` is sent now, and `chosen` is this leader's watermark.
  void Begin(uint64_t beat, Slot chosen);

  struct Ready {
    CallId call;
    Slot slot;
  };
  // A quorum has answered `beat` or a later one.
  std::vector<Ready> Confirm(uint64_t beat);
  // Everything that is still waiting, to be refused.
  std::vector<CallId> TakeAll();

  void DigestState(RollingDigest& digest) const;  // for Replica::StateDigest

 private:
  struct Asked {
    uint64_t beat = 0;
    Ready ready;
  };
  std::vector<CallId> waiting_;  // at most pending_reads_max with those of asked_
  std::deque<Asked> asked_;      // at most pending_reads_max
};

}  // namespace bt::paxos
