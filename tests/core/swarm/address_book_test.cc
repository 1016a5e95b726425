#include "core/swarm/address_book.h"

#include <gtest/gtest.h>

#include <vector>

namespace bt::swarm {
namespace {

using Source = AddressBook::Source;

Address Numbered(uint32_t number) {
  return Address::V4(10, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
                     static_cast<uint8_t>(number), 6881);
}

class AddressBookTest : public testing::Test {
 protected:
  const Address self_ = Address::V4(10, 9, 9, 9, 6881);
  const Timing timing_;
  const Instant now_{1};
  Rng rng_{1};
  const Limits limits_;
  AddressBook book_{timing_, limits_, self_};
};

TEST_F(AddressBookTest, TrackersThatNameThousandsDoNotCrowdOutWhatTheUserGave) {
  for (uint32_t i = 0; i < limits_.told_addresses + 500; ++i) book_.Add(Numbered(i), Source::kTracker);
  EXPECT_EQ(book_.known(), limits_.told_addresses);
  for (uint32_t i = 0; i < limits_.given_addresses + 1; ++i) book_.Add(Numbered(100'000 + i), Source::kUser);
  EXPECT_EQ(book_.known(), limits_.given_addresses + limits_.told_addresses);
}

TEST_F(AddressBookTest, AFullSourceForgetsAnAddressThatFailedForANewOne) {
  for (uint32_t i = 0; i < limits_.told_addresses; ++i) book_.Add(Numbered(i), Source::kTracker);
  book_.Add(Numbered(5000), Source::kTracker);
  ASSERT_EQ(book_.TakeDue(now_, 5000).size(), limits_.told_addresses);
  book_.Failed(Numbered(7), now_, rng_);
  book_.Add(Numbered(5000), Source::kTracker);
  EXPECT_EQ(book_.known(), limits_.told_addresses);
  EXPECT_EQ(book_.TakeDue(now_, 1), (std::vector<Address>{Numbered(5000)}));
}

TEST_F(AddressBookTest, EveryInfoHashIsTriedAtOnceAndOnlyThenThePauseBegins) {
  book_.Add(Numbered(1), Source::kTracker);
  for (uint32_t hash = 0; hash < 3; ++hash) {
    ASSERT_EQ(book_.TakeDue(now_, 1).size(), 1u);
    EXPECT_EQ(book_.attempt(Numbered(1)), hash);
    EXPECT_EQ(book_.failures(Numbered(1)), 0u);
    book_.Refused(Numbered(1), 3, true, now_, rng_);
  }
  EXPECT_EQ(book_.failures(Numbered(1)), 1u);
  EXPECT_TRUE(book_.TakeDue(now_, 1).empty());
  EXPECT_GE(book_.next_due(), now_ + timing_.reconnect_min);
}

TEST_F(AddressBookTest, ASilentRefusalHasAPauseAndTheNextInfoHash) {
  book_.Add(Numbered(1), Source::kTracker);
  book_.TakeDue(now_, 1);
  book_.Refused(Numbered(1), 3, false, now_, rng_);
  EXPECT_EQ(book_.attempt(Numbered(1)), 1u);
  EXPECT_TRUE(book_.TakeDue(now_, 1).empty());
}

TEST_F(AddressBookTest, TheBannedAndOurselvesAreNeverDialled) {
  book_.Add(self_, Source::kUser);
  book_.Ban(Numbered(1));
  book_.Add(Numbered(1), Source::kUser);
  EXPECT_EQ(book_.known(), 0u);
  book_.Add(Numbered(2), Source::kUser);
  book_.Ban(Numbered(2));
  EXPECT_EQ(book_.known(), 0u);
  EXPECT_TRUE(book_.banned(Numbered(2)));
}

TEST_F(AddressBookTest, AFullListOfBansForgetsTheOldest) {
  Limits limits;
  limits.bans = 2;
  AddressBook book(timing_, limits, self_);
  for (uint32_t i = 1; i <= 3; ++i) book.Ban(Numbered(i));
  EXPECT_EQ(book.bans(), 2u);
  EXPECT_FALSE(book.banned(Numbered(1)));
  EXPECT_TRUE(book.banned(Numbered(2)) && book.banned(Numbered(3)));
}

TEST_F(AddressBookTest, WhatIsErasedMayBeHeardOfAgain) {
  book_.Add(Numbered(1), Source::kTracker);
  book_.Add(Numbered(2), Source::kTracker);
  ASSERT_EQ(book_.TakeDue(now_, 1).size(), 1u);
  book_.EraseIdle();
  EXPECT_EQ(book_.known(), 1u) << "the one in use stays";
  book_.Add(Numbered(2), Source::kTracker);
  EXPECT_EQ(book_.TakeDue(now_, 1), (std::vector<Address>{Numbered(2)}));
}

TEST_F(AddressBookTest, WhatPeersTellNeverTakesAPlaceFromWhatTrackersTell) {
  for (uint32_t i = 0; i < limits_.exchanged_addresses + 500; ++i) book_.Add(Numbered(i), Source::kPeers);
  EXPECT_EQ(book_.known(), limits_.exchanged_addresses);
  for (uint32_t i = 0; i < limits_.told_addresses; ++i) book_.Add(Numbered(10'000 + i), Source::kTracker);
  EXPECT_EQ(book_.known(), limits_.exchanged_addresses + limits_.told_addresses);
  // Lower addresses, and yet later.
  EXPECT_EQ(book_.TakeDue(now_, 1), (std::vector<Address>{Numbered(10'000)}));
}

TEST_F(AddressBookTest, OfWhatOnlyPeersTellAFewAreDialledAtATimeUntilTheyHaveAnswered) {
  for (uint32_t i = 0; i < 3 * AddressBook::kHearsayDials; ++i) book_.Add(Numbered(i), Source::kPeers);
  EXPECT_EQ(book_.TakeDue(now_, 50).size(), AddressBook::kHearsayDials);
  EXPECT_TRUE(book_.TakeDue(now_, 50).empty());
  EXPECT_EQ(book_.next_due(), Instant::Never()) << "nothing is due while none of them may be dialled";
  book_.Greeted(Numbered(0));
  book_.Failed(Numbered(1), now_, rng_);
  EXPECT_EQ(book_.TakeDue(now_, 50).size(), 2u);
}

TEST_F(AddressBookTest, AnAddressThatATrackerTellsTooIsNoHearsayAnyMore) {
  for (uint32_t i = 0; i < limits_.exchanged_addresses; ++i) book_.Add(Numbered(i), Source::kPeers);
  book_.Add(Numbered(150), Source::kTracker);
  book_.Add(Numbered(150), Source::kPeers);
  EXPECT_EQ(book_.known(), limits_.exchanged_addresses);
  EXPECT_EQ(book_.TakeDue(now_, 1), (std::vector<Address>{Numbered(150)}));
  book_.Add(Numbered(5000), Source::kPeers);
  EXPECT_EQ(book_.known(), limits_.exchanged_addresses + 1) << "its place is free again";
}

}  // namespace
}  // namespace bt::swarm
