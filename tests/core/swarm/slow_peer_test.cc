// Peers behind links so slow that a block takes seconds.

#include <array>
#include <deque>

#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

// Longer than a silent peer is waited for when nothing is known of its rate (Timing::snub_after).
constexpr Duration kBlockTime = Seconds(6);

struct SlowSeeder {
  struct Answer {
    wire::BlockSpan block;
    Instant leaves;
  };
  Script script;
  size_t read = 0;             // messages taken in
  std::deque<Answer> answers;  // the first one is on its way, whatever happens
  SmallWorld::RawPeer* raw = nullptr;
};

class SlowPeerTest : public PeerTest {
 protected:
  // Hears requests and cancels, and sends what has had its time.
  void Serve(SlowSeeder& seeder) {
    Greet(*seeder.raw, seeder.script);
    Read(*seeder.raw, seeder.script);
    for (; seeder.read < seeder.script.messages.size(); ++seeder.read) {
      const wire::Message& message = seeder.script.messages[seeder.read];
      if (const auto* request = std::get_if<wire::Request>(&message)) {
        const Instant free = seeder.answers.empty() ? world_.now() : seeder.answers.back().leaves;
        seeder.answers.push_back({request->block, std::max(free, world_.now()) + kBlockTime});
      } else if (const auto* cancel = std::get_if<wire::Cancel>(&message)) {
        Drop(seeder, cancel->block);
      }
    }
    while (!seeder.answers.empty() && seeder.answers.front().leaves <= world_.now()) {
      world_.RawSend(*seeder.raw, Served(seeder.answers.front().block, good_));
      seeder.answers.pop_front();
    }
  }

 private:
  static void Drop(SlowSeeder& seeder, const wire::BlockSpan& block) {
    for (size_t i = 1; i < seeder.answers.size(); ++i) {
      if (seeder.answers[i].block == block) {
        seeder.answers.erase(seeder.answers.begin() + static_cast<std::ptrdiff_t>(i));
        return;
      }
    }
  }
};

// What distribution seed 20055001 showed. A piece that failed its hash is next demanded of one peer alone,
// and takes no answer of another. Each slow peer in turn was given up while its answer was on its way, for
// ever.
TEST_F(SlowPeerTest, APieceDemandedOfOneSlowPeerIsWaitedForAsLongAsItsBlocksTake) {
  Script liar;
  const auto lies = [&](SmallWorld& world, SmallWorld::RawPeer& self) {
    Greet(self, liar);
    Read(self, liar);
    EachRequest(liar, [&](const wire::BlockSpan& block) {
      world.RawSend(
          self, Bytes(wire::Piece{block.piece, block.offset, Slice::Own(std::string(block.length, 'x'))}));
    });
  };
  world_.AddRaw(Host(9)).on_bytes = lies;
  Config config = Downloading();
  config.peers = {Host(9)};
  std::array<SlowSeeder, 4> seeders;
  for (uint8_t i = 0; i < seeders.size(); ++i) {
    seeders[i].raw = &world_.AddRaw(Host(static_cast<uint8_t>(3 + i)));
    config.peers.push_back(seeders[i].raw->address);
  }
  const size_t client = world_.Add(config, "");
  const auto done = [&] {
    for (SlowSeeder& seeder : seeders) Serve(seeder);
    return world_.Completed(client);
  };
  ASSERT_TRUE(world_.RunUntil(done, Seconds(600)));
  EXPECT_TRUE(world_.client(client).IsBanned(Host(9)));
  EXPECT_EQ(world_.node(client).file, good_);
}

}  // namespace
}  // namespace bt::swarm::test
