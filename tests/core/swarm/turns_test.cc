// Pieces that failed their hash and are demanded of one peer alone: who is asked for them, and when.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "tests/core/swarm/peer_fixture.h"

namespace bt::swarm::test {
namespace {

struct TurnsTest : PeerTest {
  struct HandMade {
    SmallWorld::RawPeer* raw = nullptr;
    Script script;
    size_t answered = 0;
  };

  // Answers each request by what `answer` makes of it; one that is dialled first says that it has all.
  template <class Answer>
  void Make(HandMade& peer, const Address& address, bool dialled, Answer answer) {
    peer.raw = &world_.AddRaw(address);
    peer.raw->on_bytes = [this, &peer, dialled, answer](SmallWorld& world, SmallWorld::RawPeer& self) {
      const bool new_here = !peer.script.greeted;
      Read(self, peer.script);
      if (dialled && new_here && peer.script.greeted) world.RawSend(self, Greeting(self.address));
      for (; peer.answered < peer.script.messages.size(); ++peer.answered) {
        const auto* request = std::get_if<wire::Request>(&peer.script.messages[peer.answered]);
        if (request != nullptr) world.RawSend(self, answer(request->block));
      }
    };
  }
  std::string Greeting(const Address& address) const {
    wire::Handshake hello = Hello(true);
    hello.peer_id[0] = static_cast<uint8_t>(address.port);
    return wire::EncodeHandshake(hello) + Bytes(wire::HaveAll{}) + Bytes(wire::Unchoke{});
  }
  static std::string Lie(const wire::BlockSpan& block) {
    return Bytes(wire::Piece{block.piece, block.offset, Slice::Own(std::string(block.length, 'x'))});
  }
};

// What swarm_faults 432 showed. Connections from one IP address count as one peer when a piece is demanded of
// one alone. Those that reject what they have claimed were asked again and again, each kept the piece for as
// long as one peer may take, and the one behind them that would have given it was never asked.
TEST_F(TurnsTest, OfSeveralBehindOneIpAddressEachHasItsTurn) {
  std::array<HandMade, 6> peers;
  Make(peers[0], Host(9), true, Lie);
  const size_t client = world_.Add(Downloading(), "");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.client(client).IsBanned(Host(9)); }));
  for (uint16_t i = 1; i < peers.size(); ++i) {
    const bool honest = i + 1u == peers.size();
    Make(peers[i], Address::V4(10, 0, 0, 5, i), false, [this, honest](const wire::BlockSpan& block) {
      return honest ? Served(block, good_) : Bytes(wire::Reject{block});
    });
    world_.RawConnect(*peers[i].raw, client);
    world_.RawSend(*peers[i].raw, Greeting(peers[i].raw->address));
  }
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(20)));
}

// What is left is demanded of one peer alone, and there are two behind one IP address that have it:
// `late`, which was asked first, owes it, and has sent one block of it after 4 s.
struct LateTest : TurnsTest {
  LateTest() {
    Make(liar, Host(9), true, Lie);
    Config config = Downloading();
    config.timing.exclusive_limit = Seconds(3);
    client = world_.Add(config, "");
    EXPECT_TRUE(world_.RunUntil([&] { return world_.client(client).IsBanned(Host(9)); }));
    std::set<PieceIndex> demanded;
    for (const PieceRejected& rejected : world_.node(client).All<PieceRejected>()) {
      demanded.insert(rejected.piece);
    }
    Make(late, Address::V4(10, 0, 0, 5, 1), false, [this, demanded](const wire::BlockSpan& block) {
      if (!demanded.contains(block.piece)) return Served(block, good_);
      owed.push_back(block);
      return std::string();
    });
    Make(other, Address::V4(10, 0, 0, 5, 2), false,
         [this](const wire::BlockSpan& block) { return serves ? Served(block, good_) : std::string(); });
    for (HandMade* peer : {&late, &other}) {
      world_.RawConnect(*peer->raw, client);
      world_.RawSend(*peer->raw, Greeting(peer->raw->address));
      world_.RunFor(Milliseconds(500));
    }
  }
  void AnswerLate() {
    world_.RunFor(Seconds(3));
    ASSERT_FALSE(owed.empty());
    world_.RawSend(*late.raw, Served(owed.front(), good_));
  }
  HandMade liar;
  HandMade late;
  HandMade other;
  std::deque<wire::BlockSpan> owed;
  bool serves = true;
  size_t client = 0;
};

TEST_F(LateTest, WhoIsTooLateHasItsNextTurnAfterTheOthersBehindItsAddress) {
  AnswerLate();
  EXPECT_TRUE(world_.RunUntil([&] { return world_.Completed(client); }, Seconds(2)));
}

// What was asked of the first is given up with its turn: its choke must not free what the next one is asked
// for.
TEST_F(LateTest, WhatTheFirstOwesIsNotCountedAgainstTheNext) {
  serves = false;
  AnswerLate();
  world_.RunFor(Seconds(2));
  world_.RawSend(*late.raw, Bytes(wire::Choke{}));
  world_.RunFor(Seconds(1));
  std::vector<wire::BlockSpan> asked = Requested(other.script);
  EXPECT_FALSE(asked.empty());
  for (const wire::BlockSpan& block : asked) EXPECT_EQ(std::count(asked.begin(), asked.end(), block), 1);
}

}  // namespace
}  // namespace bt::swarm::test
