// One client and peers that reject requests (BEP 6), or serve those that were given up.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

// Rejects everything, for ever: it is asked less and less often.
TEST_F(PeerTest, WhoRejectsEverythingIsAskedForLittle) {
  Script script;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    Greet(self, script);
    EachRequest(script,
                [&](const wire::BlockSpan& block) { world.RawSend(self, Bytes(wire::Reject{block})); });
  };
  world_.Add(Downloading(), "");
  world_.RunFor(Seconds(4));
  const size_t round = Count<wire::Request>(script);
  EXPECT_LE(round, 2 * kPieces);
  world_.RunFor(Seconds(596));
  const size_t rounds = 1 + 4 + 600 / 60;  // after 5, 10, 20 and 40 s, then each minute
  EXPECT_GT(Count<wire::Request>(script), 5 * round / 2);
  EXPECT_LE(Count<wire::Request>(script), rounds * round);
}

// The peer stays the owner of what it has begun, and is not asked for it any more.
TEST_F(PeerTest, WhatAPeerHasBegunAndRefusesToFinishComesFromAWebServer) {
  Script script;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    Greet(self, script);
    EachRequest(script, [&](const wire::BlockSpan& block) {
      world.RawSend(self, block.offset == 0 ? Served(block, good_) : Bytes(wire::Reject{block}));
    });
  };
  world_.web_mode[0] = SmallWorld::WebMode::kUp;
  world_.web_content = good_;
  Config config = Downloading();
  config.web_seeds = 1;
  const size_t client = world_.Add(config, "");
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(60)));
  EXPECT_EQ(world_.node(client).file, good_);
}

// A queue is full for a while, for example with requests that were accepted between a choke and an unchoke
// and are not waited for any more. The peer has all, so that no Have will ever say it again.
TEST_F(PeerTest, WhatAPeerRejectsForAWhileIsAskedOfItAgain) {
  Script script;
  const Instant full_until = world_.now() + Seconds(12);
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    Greet(self, script);
    EachRequest(script, [&](const wire::BlockSpan& block) {
      world.RawSend(self, world.now() < full_until ? Bytes(wire::Reject{block}) : Served(block, good_));
    });
  };
  const size_t client = world_.Add(Downloading(), "");
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(60)));
  EXPECT_EQ(world_.node(client).file, good_);
}

// It takes one request at a time, whatever it has said, and serves that after a while.
TEST_F(PeerTest, WhoseQueueIsFullIsAskedForNoMoreThanItTakes) {
  Script script;
  std::optional<wire::BlockSpan> taken;
  Instant due{};
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    Greet(self, script);
    EachRequest(script, [&](const wire::BlockSpan& block) {
      if (taken) return world.RawSend(self, Bytes(wire::Reject{block}));
      taken = block;
      due = world.now() + Milliseconds(200);
    });
  };
  const size_t client = world_.Add(Downloading(), "");
  const Instant end = world_.now() + Seconds(60);
  while (!world_.Completed(client) && world_.now() < end) {
    world_.RunFor(Milliseconds(50));
    if (taken && world_.now() >= due) world_.RawSend(raw, Served(*std::exchange(taken, {}), good_));
  }
  EXPECT_TRUE(world_.Completed(client));
  EXPECT_LE(Count<wire::Request>(script), 100u);
}

// Rejects answer requests in their order (BEP 6): the first reject of a block that was asked for, given up
// and asked for again is not about the second request.
TEST_F(PeerTest, ARejectThatComesLateForARequestGivenUpTakesNothingFromTheOneThatFollowed) {
  Script script;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld&, SmallWorld::RawPeer& self) { Greet(self, script); };
  world_.Add(Downloading(), "");
  world_.RunFor(Seconds(1));
  const std::vector<wire::BlockSpan> first = Requested(script);
  ASSERT_FALSE(first.empty());
  world_.RawSend(raw, Bytes(wire::Choke{}) + Bytes(wire::Unchoke{}));
  world_.RunFor(Seconds(1));
  ASSERT_GT(Requested(script).size(), first.size()) << "asked for again";
  for (const wire::BlockSpan& block : first) world_.RawSend(raw, Bytes(wire::Reject{block}));
  world_.RunFor(Seconds(1));
  EXPECT_EQ(Count<wire::NotInterested>(script), 0u) << "the peer still has everything";
}

// As above, of blocks: what was asked for, given up and asked for again comes once.
TEST_F(PeerTest, ABlockThatComesLateForARequestGivenUpCancelsTheOneThatFollowed) {
  Script script;
  SmallWorld::RawPeer& raw = world_.AddRaw(Host(9));
  raw.on_bytes = [&](SmallWorld&, SmallWorld::RawPeer& self) { Greet(self, script); };
  Config config = Downloading();
  config.timing.snub_after = Seconds(2);
  const size_t client = world_.Add(config, "");
  ASSERT_TRUE(world_.RunUntil([&] {
    const std::vector<wire::BlockSpan> asked = Requested(script);
    return !asked.empty() && std::count(asked.begin(), asked.end(), asked.front()) == 2;
  }));
  const wire::BlockSpan first = Requested(script).front();
  const size_t given_up = Count<wire::Cancel>(script);
  EXPECT_EQ(given_up, Count<wire::Request>(script) - 1) << "it was snubbed, and is tried with one";
  world_.RawSend(raw, Served(first, good_));
  world_.RunFor(Milliseconds(500));
  ASSERT_EQ(Count<wire::Cancel>(script), given_up + 1);
  world_.RawSend(raw, Bytes(wire::Reject{first}));
  world_.RunFor(Milliseconds(500));
  EXPECT_EQ(Count<wire::NotInterested>(script), 0u);
  EXPECT_EQ(world_.client(client).progress().bytes_wasted, 0u);
}

}  // namespace
}  // namespace bt::swarm::test
