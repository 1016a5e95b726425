// The judges of claims, sessions and listings, each fed what must make it speak, and what must not.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/check/claims.h"
#include "sim/check/listing.h"
#include "sim/check/registry_history.h"
#include "sim/check/sessions.h"
#include "tests/sim/says.h"

namespace bt::sim {
namespace {

using tracker_api::Outcome;

Instant At(int64_t seconds) { return Instant{0} + Seconds(seconds); }

PieceMap Pieces(std::vector<uint32_t> which) {
  PieceMap pieces(4);
  for (const uint32_t one : which) pieces.Add(PieceIndex(one));
  return pieces;
}

// --- claims: a lifetime of 10 s ---

struct Claims : testing::Test {
  void Offer(PieceMap pieces, int64_t asked, int64_t answered) {
    judge.Made(kKey, {true, std::move(pieces)}, At(asked), At(answered));
  }
  void See(std::optional<PieceMap> pieces, int64_t asked, int64_t answered) {
    judge.Seen(kKey, pieces, At(asked), At(answered));
  }
  static constexpr ClaimsJudge::Key kKey{1, 1};
  World world{1};
  ClaimsJudge judge{world, Seconds(10)};
};

TEST_F(Claims, AreThereUntilTheirLifetimeIsOverAndThenGone) {
  Offer(Pieces({0, 1}), 1, 2);
  See(Pieces({0, 1}), 2, 10);
  See(Pieces({0, 1}), 10, 12);
  See(std::nullopt, 11, 11);  // it was applied at 1 or at 2: over at 11 or at 12
  EXPECT_FALSE(world.failed());
}

TEST_F(Claims, MustNotBeGoneBeforeTheirTime) {
  Offer(Pieces({0, 1}), 1, 2);
  See(std::nullopt, 3, 10);
  EXPECT_TRUE(Says(world, "shows no claim"));
}

TEST_F(Claims, MustNotBeListedAfterTheirTime) {
  Offer(Pieces({0}), 1, 2);
  See(Pieces({0}), 12, 20);
  EXPECT_TRUE(Says(world, "shows 1 of 4 pieces"));
}

TEST_F(Claims, LiveOnWhenRenewed) {
  Offer(Pieces({0}), 1, 2);
  Offer(Pieces({}), 9, 9);
  See(std::nullopt, 15, 15);
  EXPECT_TRUE(Says(world, "shows no claim"));
}

TEST_F(Claims, BeginAfreshWhenOfferedAfterTheirTime) {
  Offer(Pieces({0}), 1, 1);
  Offer(Pieces({1}), 12, 12);
  See(Pieces({0, 1}), 13, 13);
  EXPECT_TRUE(Says(world, "shows 2 of 4 pieces"));
}

TEST_F(Claims, MayBeEitherWhenARenewalCameJustThen) {
  Offer(Pieces({0}), 1, 1);
  Offer(Pieces({1}), 10, 12);
  See(Pieces({0, 1}), 13, 13);
  EXPECT_FALSE(world.failed());
  See(Pieces({1}), 13, 13);  // one lookup has decided which it was
  EXPECT_TRUE(Says(world, "shows 1 of 4 pieces"));
}

TEST_F(Claims, LoseWhatIsWithdrawnAndNothingElse) {
  Offer(Pieces({0, 1, 2}), 1, 1);
  judge.Made(kKey, {false, Pieces({1})}, At(2), At(2));
  See(Pieces({0, 2}), 3, 3);
  judge.Made(kKey, {false, std::nullopt}, At(4), At(4));
  See(std::nullopt, 5, 5);
  EXPECT_FALSE(world.failed());
  See(Pieces({0, 2}), 5, 5);
  EXPECT_TRUE(Says(world, "claims: client 1 has no claim"));
}

TEST_F(Claims, MayHaveBeenChangedOrNotByAnOfferNobodyHeardOfAgain) {
  Offer(Pieces({0}), 1, 1);
  judge.MadeOrNot(kKey, {true, Pieces({3})}, At(2), At(5));
  See(Pieces({0, 3}), 6, 6);
  EXPECT_FALSE(world.failed());
  See(Pieces({0}), 6, 6);
  EXPECT_TRUE(world.failed());
}

// --- sessions: kept 5 s in a full table, 10 s otherwise ---

struct Sessions : testing::Test {
  World world{1};
  SessionsJudge judge{world, 7, {Seconds(10), Seconds(5)}};
};

TEST_F(Sessions, MayBeForgottenOrNotBetweenEvictionAgeAndLifetime) {
  judge.Used(At(1), At(2));
  judge.Answered(Outcome::kSessionExpired, At(3), At(6));
  judge.Answered(Outcome::kOk, At(11), At(20));
  EXPECT_FALSE(world.failed());
}

TEST_F(Sessions, MustNotBeForgottenYoung) {
  judge.Used(At(1), At(2));
  judge.Answered(Outcome::kSessionExpired, At(3), At(5));
  EXPECT_TRUE(Says(world, "is forgotten"));
}

TEST_F(Sessions, MustNotBeTakenForLivingWhenTheyAreOver) {
  judge.Used(At(1), At(2));
  judge.Answered(Outcome::kOk, At(12), At(12));
  EXPECT_TRUE(Says(world, "although it lives for 10 s"));
}

TEST_F(Sessions, BeginAnewWithoutAPast) {
  judge.Used(At(1), At(2));
  judge.Begin();
  judge.Answered(Outcome::kSessionExpired, At(3), At(3));
  EXPECT_FALSE(world.failed());
}

// --- listings ---

struct Listings : testing::Test {
  Listings() {
    for (const char* name : {"a", "b", "c"}) history.SawBinding(name, 1, "a fetch");
  }
  static tracker_api::Listing Page(std::vector<std::string> names, bool more) {
    tracker_api::Listing page;
    for (std::string& name : names) page.torrents.push_back({.name = std::move(name), .content = {}});
    page.more = more;
    return page;
  }
  World world{1};
  RegistryHistory history{world};
};

TEST_F(Listings, AreCompleteOverTheirPages) {
  ListingJudge judge(world, history);
  EXPECT_TRUE(judge.Page(Page({"a", "aa"}, true), 2));
  EXPECT_EQ(judge.after(), "aa");
  EXPECT_TRUE(judge.Page(Page({"b", "c"}, true), 2));
  EXPECT_FALSE(judge.Page(Page({}, false), 2));
  EXPECT_FALSE(world.failed());
}

TEST_F(Listings, MustNotSkipANameThatWasThere) {
  ListingJudge judge(world, history);
  judge.Page(Page({"a", "c"}, true), 2);
  EXPECT_TRUE(Says(world, "went past the name b"));
}

TEST_F(Listings, MustNotEndBeforeTheLastName) {
  ListingJudge judge(world, history);
  judge.Page(Page({"a", "b"}, false), 2);
  EXPECT_TRUE(Says(world, "the name c was bound"));
}

TEST_F(Listings, MustNotShowANameTwice) {
  ListingJudge judge(world, history);
  judge.Page(Page({"a", "b"}, true), 2);
  judge.Page(Page({"b", "c"}, false), 2);
  EXPECT_TRUE(Says(world, "out of order"));
}

TEST_F(Listings, MustNotHoldMoreThanAskedFor) {
  ListingJudge judge(world, history);
  judge.Page(Page({"a", "b"}, true), 1);
  EXPECT_TRUE(Says(world, "a page of 2 names"));
}

}  // namespace
}  // namespace bt::sim
