// What nodes answer out of their state, held against the state: true answers pass, and each wrong one does
// not.

#include "sim/scenarios/own_answers.h"

#include <gtest/gtest.h>

#include <string>

#include "sim/scenarios/registry_operation.h"

namespace bt::sim {
namespace {

using tracker_api::Response;

struct OwnAnswers : testing::Test {
  OwnAnswers() {
    Metainfo first = TestContent(1);
    first.name = "a";
    Metainfo second = TestContent(3);
    second.name = "b";
    registry.Apply(Instant{1}, tracker_api::Register{{SessionId(1), 1}, first});
    registry.Apply(Instant{2}, tracker_api::Register{{SessionId(1), 2}, second});
    const tracker_api::TorrentKey key = first.content();
    registry.Apply(Instant{3}, tracker_api::Offer{{SessionId(1), 3}, key, Peer(1), {{PieceIndex(0), 1}}});
    registry.Apply(Instant{4}, tracker_api::Offer{
                                   {SessionId(1), 4}, key, Peer(2), {{PieceIndex(0), first.piece_count()}}});
    lookup.torrent = key;
    fetch.torrent = std::string("a");
    scrape.info_hashes = {first.AllInfoHashes().front()};
  }
  static Address Peer(uint8_t number) { return Address::V4(10, 0, 0, number, 6881); }
  std::string Wrong(const tracker_api::Request& asked, const Response& answer) const {
    return WrongAnswer(asked, answer, registry);
  }
  Response Looked() const { return registry.Lookup(lookup, 1); }
  static tracker_api::Peers& PeersIn(Response& response) {
    return std::get<tracker_api::Peers>(response.body);
  }
  static tracker_api::Listing& ListingIn(Response& response) {
    return std::get<tracker_api::Listing>(response.body);
  }

  tracker::Registry registry;
  tracker_api::Lookup lookup;
  tracker_api::List list;
  tracker_api::Fetch fetch;
  tracker_api::Scrape scrape;
};

TEST_F(OwnAnswers, AreTrueAsTheRegistryGivesThem) {
  EXPECT_EQ(Wrong(lookup, Looked()), "");
  EXPECT_EQ(Wrong(list, registry.List(list)), "");
  EXPECT_EQ(Wrong(fetch, registry.Fetch(fetch)), "");
  lookup.limit = 1;
  EXPECT_EQ(Wrong(lookup, Looked()), "");
  list.limit = 1;
  EXPECT_EQ(Wrong(list, registry.List(list)), "");
  list.after = "a";
  EXPECT_EQ(Wrong(list, registry.List(list)), "");
}

TEST_F(OwnAnswers, NameNoPeerThatIsNotThereAndLeaveNoneOutForWhomThereIsRoom) {
  Response answer = Looked();
  PeersIn(answer).peers.front().peer = Peer(9);
  EXPECT_NE(Wrong(lookup, answer), "");
  answer = Looked();
  PeersIn(answer).peers.pop_back();
  EXPECT_NE(Wrong(lookup, answer), "");
}

TEST_F(OwnAnswers, SayOfPeersWhatTheyHave) {
  Response answer = Looked();
  PeersIn(answer).peers.front().complete ^= true;
  EXPECT_NE(Wrong(lookup, answer), "");
  answer = Looked();
  ++PeersIn(answer).complete;
  EXPECT_NE(Wrong(lookup, answer), "");
}

TEST_F(OwnAnswers, OfATorrentThatIsThereDoNotSayThatItIsNot) {
  EXPECT_NE(Wrong(lookup, tracker_api::NoSuchTorrent(lookup.torrent)), "");
  lookup.torrent = std::string("nobody's");
  EXPECT_EQ(Wrong(lookup, tracker_api::NoSuchTorrent(lookup.torrent)), "");
}

TEST_F(OwnAnswers, ListEveryNameInOrderAndSayWhetherThereAreMore) {
  Response answer = registry.List(list);
  ListingIn(answer).more = true;
  EXPECT_NE(Wrong(list, answer), "");
  answer = registry.List(list);
  std::swap(ListingIn(answer).torrents[0], ListingIn(answer).torrents[1]);
  EXPECT_NE(Wrong(list, answer), "");
  answer = registry.List(list);
  ListingIn(answer).torrents.pop_back();
  EXPECT_NE(Wrong(list, answer), "");
}

TEST_F(OwnAnswers, FetchWhatIsRegisteredUnderTheName) {
  Response answer = registry.Fetch(fetch);
  std::get<tracker_api::Fetched>(answer.body).metainfo.name = "b";
  EXPECT_NE(Wrong(fetch, answer), "");
}

TEST_F(OwnAnswers, ScrapeTheCountsOfWhatIsKnown) {
  Response answer;
  answer.body = tracker_api::Scraped{{{scrape.info_hashes[0], 1, 1}}};
  EXPECT_EQ(Wrong(scrape, answer), "");
  answer.body = tracker_api::Scraped{{{scrape.info_hashes[0], 2, 0}}};
  EXPECT_NE(Wrong(scrape, answer), "");
  answer.body = tracker_api::Scraped{};
  EXPECT_NE(Wrong(scrape, answer), "");
}

TEST(OwnStatus, IsWhatTheNodeIs) {
  const tracker::TrackerNode node{tracker::Config()};
  tracker_api::NodeStatus status;
  status.node = NodeId(1);
  status.level = node.registry().level();
  status.oldest_level = node.config().levels.oldest;
  status.newest_level = node.config().levels.newest;
  status.members = {NodeId(1)};
  EXPECT_EQ(WrongStatus(status, node), "");
  status.role = tracker_api::Role::kLeader;
  EXPECT_EQ(WrongStatus(status, node), "it has another role");
  status.role = tracker_api::Role::kFollower;
  status.claims = 1;
  EXPECT_EQ(WrongStatus(status, node), "there are other claims");
  status.claims = 0;
  ++status.newest_level;
  EXPECT_EQ(WrongStatus(status, node), "it reads other format levels");
  --status.newest_level;
  status.applied = Slot(1);
  EXPECT_EQ(WrongStatus(status, node), "another slot is applied");
}

}  // namespace
}  // namespace bt::sim
