#pragma once

// MembersFixture: three replicas, of which node 1 leads at first, and what tests of members do with them.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "tests/core/paxos/cluster.h"

namespace bt::paxos {

class MembersFixture : public testing::Test {
 protected:
  MembersFixture() { cluster_.Elect(1); }

  void Propose(const std::string& command) {
    cluster_.Propose(Leader(), command);
    cluster_.Settle();
  }
  // 0: nobody leads.
  uint32_t Leader() {
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      if (cluster_.running(node) && cluster_.replica(node).is_leader()) return node;
    }
    return 0;
  }
  // Time passes, and whatever is to be sent arrives.
  void Run(int timers = 60) {
    for (int i = 0; i < timers; ++i) {
      cluster_.FireNext();
      cluster_.Settle();
    }
    EXPECT_EQ(cluster_.violation(), "");
  }
  // The leader's answer.
  std::string Order(Request request) {
    const CallId call = cluster_.Ask(Leader(), std::move(request));
    cluster_.Settle();
    return cluster_.Answer(call);
  }

  Cluster cluster_{3};
};

}  // namespace bt::paxos
