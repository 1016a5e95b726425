// The judge of what clients believe of each other, fed views that agree and views that do not.

#include "sim/check/swarm_views.h"

#include <gtest/gtest.h>

namespace bt::sim {
namespace {

PieceMap Pieces(std::vector<uint32_t> which) {
  PieceMap pieces(4);
  for (const uint32_t one : which) pieces.Add(PieceIndex(one));
  return pieces;
}

// a downloads and has piece 0, b offers pieces 0 and 1; each knows the other well.
struct Views : testing::Test {
  Views() {
    a = {"a", {1}, Pieces({0}), true};
    b = {"b", {2}, Pieces({0, 1}), false};
    a.peers.push_back({b.id, b.verified, true, false, true, false});
    b.peers.push_back({a.id, a.verified, false, true, false, true});
  }
  std::string Trouble() const { return Disagreement({a, b}); }
  SwarmView a;
  SwarmView b;
};

TEST_F(Views, AgreeWhenEachKnowsWhatTheOtherHasAndWants) {
  EXPECT_EQ(Trouble(), "");
  a.peers.push_back({{9}, Pieces({0, 1, 2, 3}), false, true, false, false});  // a stranger says what it likes
  EXPECT_EQ(Trouble(), "");
}

TEST_F(Views, FindAHaveThatWasNeverSent) {
  a.peers[0].pieces = Pieces({0});
  EXPECT_EQ(Trouble(), "haves: b has 1 pieces that a lacks and does not know of");
}

TEST_F(Views, FindInterestThatWasNeverUpdated) {
  a.verified = b.peers[0].pieces = Pieces({0, 1});
  EXPECT_EQ(Trouble(), "interest: a knows of 0 pieces of b that it lacks, and is interested in it");
}

TEST_F(Views, LetAPeerThatHasAPieceItselfBeUntold) {
  b.peers[0].pieces = PieceMap(4);
  EXPECT_EQ(Trouble(), "");
}

TEST_F(Views, FindInterestThatWasNeverTold) {
  b.peers[0].peer_interested = false;
  EXPECT_EQ(Trouble(), "interest: a and b do not agree whether a is interested");
}

TEST_F(Views, FindAChokeThatWasNeverTold) {
  a.peers[0].peer_choking = true;
  EXPECT_EQ(Trouble(), "choking: b and a do not agree whether b chokes");
}

TEST_F(Views, StarveNobodyWhereNobodyIsTrusted) {
  a.trusted = b.trusted = false;
  EXPECT_EQ(Starved({a, b}), "");
}

TEST_F(Views, DemandNothingOfWhoDoesNotKnowTheTorrentYet) {
  a.verified = a.peers[0].pieces = PieceMap();
  EXPECT_EQ(Trouble(), "");
}

TEST_F(Views, LetAClientLackWhatItDidNotSelect) {
  a.unselected = Pieces({1});
  EXPECT_EQ(Starved({a, b}), "");
  EXPECT_EQ(Trouble(), "interest: a knows of 0 pieces of b that it lacks, and is interested in it");
  a.unselected = Pieces({2});
  EXPECT_EQ(Starved({a, b}), "a has 1 of the 2 pieces that those around it have");
}

TEST_F(Views, FindWhoIsStarved) {
  EXPECT_EQ(Starved({a, b}), "a has 1 of the 2 pieces that those around it have");
  a.verified = Pieces({0, 1});
  EXPECT_EQ(Starved({a, b}), "");
}

TEST_F(Views, DemandNothingOfWhoWasDeceivedByItsOwnFile) {
  b.trusted = false;
  EXPECT_EQ(Starved({a, b}), "");
}

}  // namespace
}  // namespace bt::sim
