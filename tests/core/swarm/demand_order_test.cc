#include "core/swarm/demand_order.h"

#include <gtest/gtest.h>

#include "core/base/ids.h"

namespace bt::swarm {
namespace {

Sender Dialled(uint8_t host) { return {Address::V4(10, 0, 0, host, 6881), LinkId(host)}; }
Sender Accepted(uint8_t host, uint16_t port) {
  return {Address::V4(10, 0, 0, host, port), LinkId(kInboundLink | port)};
}

TEST(DemandOrderTest, WhoHadNoTurnComesBeforeAllWhoHadOne) {
  DemandOrder order;
  order.TookTurn(Dialled(1), Instant{5});
  order.TookTurn(Dialled(2), Instant{3});
  EXPECT_LT(order.last_turn(Dialled(3)), order.last_turn(Dialled(2)));
  EXPECT_LT(order.last_turn(Dialled(2)), order.last_turn(Dialled(1)));
}

TEST(DemandOrderTest, ANewConnectionFromTheSameIpAddressIsTheSamePeer) {
  DemandOrder order;
  order.TookTurn(Accepted(1, 4000), Instant{5});
  EXPECT_EQ(order.last_turn(Accepted(1, 4001)).of_peer, Instant{5});
  EXPECT_LT(order.last_turn(Dialled(1)).of_peer, Instant{5}) << "a port that was dialled says who is there";
}

TEST(DemandOrderTest, OfConnectionsFromOneIpAddressTheOneThatHasWaitedLongestIsFirst) {
  DemandOrder order;
  order.TookTurn(Accepted(1, 4000), Instant{5});
  order.TookTurn(Accepted(1, 4001), Instant{7});
  EXPECT_LT(order.last_turn(Accepted(1, 4002)), order.last_turn(Accepted(1, 4000)));
  EXPECT_LT(order.last_turn(Accepted(1, 4000)), order.last_turn(Accepted(1, 4001)));
  order.Delivered(Accepted(1, 4001));
  EXPECT_LT(order.last_turn(Accepted(1, 4001)), order.last_turn(Accepted(1, 4000)));
}

TEST(DemandOrderTest, AGoodPieceEndsWhatWasHeldAgainstItsSender) {
  DemandOrder order;
  order.TookTurn(Dialled(1), Instant{5});
  order.Delivered(Dialled(1));
  EXPECT_EQ(order.last_turn(Dialled(1)), order.last_turn(Dialled(2)));
}

TEST(DemandOrderTest, BeyondTheLimitTheOldestTurnIsForgotten) {
  DemandOrder order;
  const auto peer = [](uint32_t number) {
    return Sender{Address::V4(10, 1, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number), 6881),
                  LinkId(number)};
  };
  for (uint32_t i = 0; i <= DemandOrder::kTurnsRemembered; ++i) order.TookTurn(peer(i), Instant{int64_t{i}});
  EXPECT_EQ(order.last_turn(peer(0)), DemandOrder::Turn()) << "as if it never had one";
  EXPECT_EQ(order.last_turn(peer(1)).of_peer, Instant{1});
}

}  // namespace
}  // namespace bt::swarm
