// Bugs that a simulated seed found once, kept as transcripts: a seed's run changes with every draw, these do
// not. Each text is read like a play: what was done, what then was under way, and where the replicas stood.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/core/paxos/cluster.h"
#include "tests/support/golden.h"

namespace bt::paxos {
namespace {

using Timer = Protocol::Timer;

class Transcript {
 public:
  explicit Transcript(Cluster& cluster) : cluster_(cluster) {}

  void Do(std::string_view what, const std::function<void()>& action) {
    action();
    absl::StrAppend(&text_, std::string(what), "\n");
    for (const Envelope& envelope : cluster_.in_flight())
      absl::StrAppend(&text_, "    ", Describe(envelope), "\n");
    for (uint32_t node = 1; node <= cluster_.size(); ++node)
      absl::StrAppend(&text_, "  ", Stands(node), "\n");
  }
  const std::string& text() const { return text_; }

 private:
  std::string Stands(uint32_t node) {
    if (!cluster_.running(node)) return absl::StrCat("node ", node, ": down");
    const Replica& replica = cluster_.replica(node);
    return absl::StrCat("node ", node, ": ", std::string(replica.role_name()), " of ", replica.ballot().round,
                        ".", replica.ballot().node.value(), ", chosen ", replica.chosen().value(), ": ",
                        cluster_.Log(node));
  }

  Cluster& cluster_;
  std::string text_;
};

// full_system seed 72611. Node 2 knows slot 2 as chosen, the new leader does not, and the third node is
// gone. The leader asked again only for what node 2 did not know, so slot 2 never had its second vote and
// nothing after it could be chosen.
TEST(Transcripts, ALeaderAsksAgainForSlotsItDoesNotKnowChosenAlsoOfAFollowerThatDoes) {
  Cluster cluster(3);
  Transcript transcript(cluster);
  const auto lose_all = [&] { cluster.Lose(Everything()); };
  transcript.Do("node 1 leads, and \"a\" is chosen in slot 2; only node 2 hears of the choice", [&] {
    cluster.Elect(1);
    cluster.Propose(1, "a");
    cluster.Deliver(Everything());
    for (uint32_t node = 1; node <= 3; ++node) cluster.Sync(node);
    cluster.Deliver(To(1));
    cluster.Deliver(To(2));
    lose_all();
  });
  transcript.Do("node 1 restarts, and has forgotten the choice", [&] {
    cluster.Crash(1);
    cluster.Restart(1);
  });
  transcript.Do("nodes 1 and 3 elect node 1 again", [&] {
    cluster.Pass(Milliseconds(1000));
    cluster.Fire(1, Timer::kElection);
    cluster.UntilLeader(1, [&] {
      cluster.Lose(To(2));
      cluster.Deliver(
          [](const Envelope& envelope) { return !std::holds_alternative<Accept>(envelope.message); });
      for (uint32_t node = 1; node <= 3; ++node) cluster.Sync(node);
    });
  });
  transcript.Do("node 3 crashes; node 2 accepts, and its answers are lost", [&] {
    cluster.Crash(3);
    cluster.Lose(To(3));
    cluster.Deliver(To(2));
    cluster.Sync(1);
    cluster.Sync(2);
    cluster.Lose([](const Envelope& envelope) { return std::holds_alternative<Accepted>(envelope.message); });
    cluster.Deliver(To(1));
  });
  for (int beat = 1; beat <= 5; ++beat) {
    transcript.Do(absl::StrCat("heartbeat ", beat), [&] {
      cluster.Fire(1, Timer::kHeartbeat);
      cluster.Deliver(To(2));
      cluster.Sync(2);
      cluster.Deliver(To(1));
      cluster.Lose(To(3));
    });
  }
  EXPECT_EQ(cluster.Log(1), "- | a | -");
  EXPECT_EQ(cluster.violation(), "");
  test::ExpectGolden("tests/core/paxos/testdata/asks_again.txt", transcript.text());
}

}  // namespace
}  // namespace bt::paxos
