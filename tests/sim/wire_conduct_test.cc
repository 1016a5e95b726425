// The judge of what a client says on its links, shown what it must condemn and what it must not.

#include "sim/scenarios/wire_conduct.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "core/torrent/metainfo.h"

namespace bt::sim {
namespace {

namespace wire = swarm::wire;

constexpr LinkId kLink{1};                      // the client has dialled
constexpr LinkId kOther{2};                     // ... as well
constexpr LinkId kInbound{kInboundLink | 20};   // a peer has dialled
constexpr LinkId kInbound2{kInboundLink | 21};  // ... as well
const PieceMap kEverything = PieceMap::All(3);

Metainfo MakeMetainfo() {
  const std::string content(3 * kPieceLengthMin, 'c');
  MetainfoBuilder builder("content", content.size(), kPieceLengthMin);
  builder.Update(content);
  return builder.Finish();
}

// A client in conversation with two peers: its steps, message by message.
struct WireConductTest : testing::Test {
  WireConductTest() {
    config.upload_slots = 1;
    judge.OnStart(config);
  }

  static Address At(LinkId link) { return Address::V4(10, 0, 0, static_cast<uint8_t>(link.value()), 6881); }
  static wire::BlockSpan Block(uint32_t piece) { return {PieceIndex(piece), 0, kBlockSize}; }
  static wire::Piece Bytes(uint32_t piece) {
    return {PieceIndex(piece), 0, Slice::Own(std::string(kBlockSize, 'c'))};
  }

  void Hear(LinkId link, const wire::Message& message) {
    std::string bytes;
    wire::Append(message, bytes);
    judge.OnInput(LinkReceived{link, Slice::Own(std::move(bytes))});
  }
  void Say(LinkId link, const wire::Message& message) {
    std::string bytes;
    wire::Append(message, bytes);
    judge.OnEffect(LinkSendBytes{link, Slice::Own(std::move(bytes))}, now);
  }
  void Serve(LinkId link, uint32_t piece) {
    judge.OnEffect(LinkSendFile{link, Slice::Own(wire::BlockHeader(PieceIndex(piece), 0, kBlockSize)),
                                FileId(), uint64_t{piece} * kPieceLengthMin, kBlockSize},
                   now);
  }
  void StepEnds() { judge.OnStep(verified, PieceMap(), !verified.all()); }

  void Dial(LinkId link, const Address& to) {
    judge.OnEffect(LinkConnect{link, to}, now);
    judge.OnInput(LinkUp{link, to});
  }
  // Each peer has an id of its own, unless it is `twin`'s.
  void ShakeHands(LinkId link, bool fast, LinkId twin = LinkId(0)) {
    wire::Handshake hands;
    hands.fast = true;
    hands.info_hash = hash;
    judge.OnEffect(LinkSendBytes{link, Slice::Own(wire::EncodeHandshake(hands))}, now);
    hands.fast = fast;
    hands.peer_id[0] = static_cast<uint8_t>((twin == LinkId(0) ? link : twin).value());
    judge.OnInput(LinkReceived{link, Slice::Own(wire::EncodeHandshake(hands))});
  }
  // It has taken the link that the client has dialled, and hangs up on the handshake.
  void HangsUp(LinkId link, const Address& at) {
    Dial(link, at);
    StepEnds();
    judge.OnInput(LinkDown{link, ""});
  }

  // Both have shaken hands, and the peer has said what it has.
  void Meet(LinkId link, bool fast, const PieceMap& theirs) {
    Dial(link, At(link));
    ShakeHands(link, fast);
    Say(link, wire::Bitfield{Slice::Own(verified.ToBitfield())});
    StepEnds();
    if (theirs.none()) return;
    Hear(link, wire::Bitfield{Slice::Own(theirs.ToBitfield())});
    if (!verified.all()) Say(link, wire::Interested{});
    StepEnds();
  }
  // ... and lets the client ask.
  void MeetSeeder(LinkId link) {
    Meet(link, true, kEverything);
    Hear(link, wire::Unchoke{});
    StepEnds();
  }
  // ... or wants something, and has a slot.
  void MeetWhoAsks(LinkId link, bool fast = true) {
    Has(kEverything);
    Meet(link, fast, PieceMap(3));
    Hear(link, wire::Interested{});
    Say(link, wire::Unchoke{});
    StepEnds();
  }
  void Has(const PieceMap& pieces) {
    verified = pieces;
    StepEnds();
  }

  void ExpectRight() { EXPECT_EQ(world.failure().value_or(""), ""); }
  void ExpectWrong(std::string_view word) {
    EXPECT_NE(world.failure().value_or("").find(word), std::string::npos)
        << world.failure().value_or("nothing");
  }

  World world{1};
  const Metainfo metainfo = MakeMetainfo();
  swarm::Config config;
  InfoHash hash{};  // under which the client dials
  WireConduct judge{world, "client", metainfo};
  PieceMap verified{3};
  Instant now{Seconds(1000).ns};
};

TEST_F(WireConductTest, AllowsAWholeDownload) {
  MeetSeeder(kLink);
  Say(kLink, wire::Request{Block(1)});
  StepEnds();
  Hear(kLink, Bytes(1));
  StepEnds();
  verified.Add(PieceIndex(1));
  Say(kLink, wire::Have{PieceIndex(1)});
  StepEnds();
  EXPECT_EQ(judge.connected(), 1u);
  judge.OnInput(LinkDown{kLink, ""});
  EXPECT_EQ(judge.connected(), 0u);
  ExpectRight();
}

TEST_F(WireConductTest, AllowsAWholeUpload) {
  MeetWhoAsks(kLink);
  Hear(kLink, wire::Request{Block(1)});
  Serve(kLink, 1);
  StepEnds();
  Say(kLink, wire::Choke{});
  Hear(kLink, wire::Request{Block(2)});
  Say(kLink, wire::Reject{Block(2)});
  Hear(kLink, wire::NotInterested{});
  StepEnds();
  EXPECT_EQ(judge.bytes_sent(), kBlockSize);
  ExpectRight();
}

TEST_F(WireConductTest, WantsNobodyAskedWhoChokes) {
  Meet(kLink, true, kEverything);
  Say(kLink, wire::Request{Block(0)});
  ExpectWrong("asks a peer that chokes it");
}

TEST_F(WireConductTest, WantsNobodyAskedForWhatItHasNot) {
  PieceMap some(3);
  some.Add(PieceIndex(0));
  Meet(kLink, true, some);
  Hear(kLink, wire::Unchoke{});
  Say(kLink, wire::Request{Block(1)});
  ExpectWrong("has not got it");
}

TEST_F(WireConductTest, WantsABlockAskedForOnce) {
  MeetSeeder(kLink);
  Say(kLink, wire::Request{Block(0)});
  Say(kLink, wire::Request{Block(0)});
  ExpectWrong("asks a peer twice");
}

TEST_F(WireConductTest, LetsABlockBeAskedForAgainAfterAChoke) {
  MeetSeeder(kLink);
  Say(kLink, wire::Request{Block(0)});
  Hear(kLink, wire::Choke{});
  Hear(kLink, wire::Unchoke{});
  Say(kLink, wire::Request{Block(0)});
  StepEnds();
  Hear(kLink, wire::Reject{Block(0)});  // the first
  Hear(kLink, Bytes(0));
  StepEnds();
  ExpectRight();
}

TEST_F(WireConductTest, WantsNoMoreAskedForThanThePeerLetsWait) {
  MeetSeeder(kLink);
  wire::ExtendedHandshake extended;
  extended.reqq = 1;
  Hear(kLink, extended);
  Say(kLink, wire::Request{Block(0)});
  Say(kLink, wire::Request{Block(1)});
  ExpectWrong("more than the 1 requests");
}

TEST_F(WireConductTest, WantsNoPieceAskedForThatIsThere) {
  MeetSeeder(kLink);
  verified.Add(PieceIndex(0));
  Say(kLink, wire::Have{PieceIndex(0)});
  StepEnds();
  Say(kLink, wire::Request{Block(0)});
  StepEnds();
  ExpectWrong("asks for piece 0");
}

TEST_F(WireConductTest, WantsWhatHasComeCancelledElsewhere) {
  MeetSeeder(kLink);
  MeetSeeder(kOther);
  Say(kLink, wire::Request{Block(0)});
  Say(kOther, wire::Request{Block(0)});
  StepEnds();
  Hear(kLink, Bytes(0));
  Say(kOther, wire::Cancel{Block(0)});
  StepEnds();
  ExpectRight();
  Say(kLink, wire::Request{Block(1)});
  Say(kOther, wire::Request{Block(1)});
  Hear(kLink, Bytes(1));
  StepEnds();
  ExpectWrong("goes on asking for what has come");
}

TEST_F(WireConductTest, WantsEachRequestAnsweredOnce) {
  MeetWhoAsks(kLink);
  Hear(kLink, wire::Request{Block(1)});
  Serve(kLink, 1);
  Serve(kLink, 1);
  ExpectWrong("sends it again");
}

TEST_F(WireConductTest, WantsNoRequestLeftOnAnIdleLink) {
  MeetWhoAsks(kLink);
  Hear(kLink, wire::Request{Block(1)});
  StepEnds();
  ExpectRight();  // what was said before may be on its way yet
  judge.OnInput(LinkSent{kLink, judge.queued(kLink)});
  StepEnds();
  ExpectWrong("does not answer on an idle link");
}

TEST_F(WireConductTest, WantsRefusalsWithAChoke) {
  MeetWhoAsks(kLink);
  Hear(kLink, wire::Request{Block(1)});
  Say(kLink, wire::Choke{});
  Hear(kLink, wire::NotInterested{});
  StepEnds();
  ExpectWrong("chokes, and does not refuse");
}

TEST_F(WireConductTest, WantsNoRefusalsForWhoKnowsNone) {
  MeetWhoAsks(kLink, false);
  Hear(kLink, wire::Request{Block(1)});
  Say(kLink, wire::Reject{Block(1)});
  ExpectWrong("knows no refusals");
}

TEST_F(WireConductTest, WantsEveryPeerToldOfAPiece) {
  Meet(kLink, true, PieceMap(3));
  Has([] {
    PieceMap one(3);
    one.Add(PieceIndex(2));
    return one;
  }());
  ExpectWrong("tells a peer that lacks it nothing");
}

TEST_F(WireConductTest, WantsInterestWhereThereIsSomething) {
  Meet(kLink, true, PieceMap(3));
  Hear(kLink, wire::Have{PieceIndex(0)});
  StepEnds();
  ExpectWrong("is not interested in a peer that has 1 pieces");
}

TEST_F(WireConductTest, WantsNoInterestWhereThereIsNothing) {
  Meet(kLink, true, PieceMap(3));
  Say(kLink, wire::Interested{});
  StepEnds();
  ExpectWrong("has nothing for it");
}

TEST_F(WireConductTest, WantsSlotsGivenAndNoMore) {
  MeetWhoAsks(kLink);
  Meet(kOther, true, PieceMap(3));
  Hear(kOther, wire::Interested{});
  StepEnds();
  ExpectRight();
  Say(kOther, wire::Unchoke{});
  StepEnds();
  ExpectWrong("has 1 slots, and has unchoked 2 peers");
}

TEST_F(WireConductTest, WantsNoSlotFreeWhileSomebodyWaits) {
  MeetWhoAsks(kLink);
  Meet(kOther, true, PieceMap(3));
  Hear(kOther, wire::Interested{});
  Say(kLink, wire::Choke{});
  StepEnds();
  ExpectWrong("lets one wait");
}

TEST_F(WireConductTest, WantsWhoBreaksTheProtocolCutOff) {
  Meet(kLink, true, PieceMap(3));
  Hear(kLink, wire::Have{PieceIndex(3)});
  StepEnds();
  ExpectWrong("keeps a peer that has broken the protocol");
}

TEST_F(WireConductTest, WantsPeersExchangedThatAreThere) {
  Meet(kLink, true, PieceMap(3));
  Meet(kOther, true, PieceMap(3));
  wire::ExtendedHandshake extended;
  extended.peer_exchange_id = wire::kPeerExchangeId;
  Hear(kLink, extended);
  wire::PeerExchange exchange;
  exchange.added.push_back({At(kOther), false});
  Say(kLink, exchange);
  StepEnds();
  ExpectRight();
  judge.OnInput(LinkDown{kOther, ""});
  StepEnds();
  now = now + Seconds(61);
  exchange.added.front().peer.port = 1;
  Say(kLink, exchange);
  ExpectWrong("no longer connected");
}

TEST_F(WireConductTest, WantsOneLinkToAPeer) {
  Meet(kLink, true, PieceMap(3));
  judge.OnInput(LinkUp{kInbound, At(kLink)});
  ShakeHands(kInbound, true, kLink);
  StepEnds();
  ExpectWrong("keeps two links to the peer at 10.0.0.1:6881");
}

// One of several behind one router, and one that has taken somebody's id.
TEST_F(WireConductTest, TakesNobodyForAnotherPeer) {
  Meet(kLink, true, PieceMap(3));
  judge.OnInput(LinkUp{kInbound, At(kLink)});
  ShakeHands(kInbound, true);
  StepEnds();
  judge.OnInput(LinkUp{kInbound2, At(kOther)});
  ShakeHands(kInbound2, true, kLink);
  StepEnds();
  ExpectRight();
}

TEST_F(WireConductTest, WantsWhoHasAnsweredTriedWithEachInfoHashAtOnce) {
  Meet(kLink, true, PieceMap(3));
  judge.OnInput(LinkDown{kLink, ""});
  HangsUp(LinkId(3), At(kLink));
  HangsUp(LinkId(4), At(kLink));
  Dial(LinkId(5), At(kLink));
  StepEnds();
  judge.OnInput(LinkDown{LinkId(5), ""});
  StepEnds();  // after the third one pauses
  ExpectRight();
  Dial(LinkId(6), At(kLink));
  ShakeHands(LinkId(6), true);
  StepEnds();
  judge.OnInput(LinkDown{LinkId(6), ""});
  HangsUp(LinkId(7), At(kLink));
  StepEnds();
  ExpectWrong("does not try the next info-hash at once with 10.0.0.1:6881");
}

// Of who has never answered nothing is known; a handshake that is only late says nothing of the info-hash;
// and who is banned is dialled no more.
TEST_F(WireConductTest, AllowsAPauseWithOthers) {
  HangsUp(LinkId(3), At(kLink));
  StepEnds();
  Meet(kLink, true, PieceMap(3));
  judge.OnInput(LinkDown{kLink, ""});
  Dial(LinkId(4), At(kLink));
  StepEnds();
  judge.OnEffect(LinkClose{LinkId(4), false}, now);
  StepEnds();
  HangsUp(LinkId(5), At(kLink));
  StepEnds();
  Meet(kOther, true, PieceMap(3));
  judge.OnInput(LinkDown{kOther, ""});
  judge.OnBanned(At(kOther));
  HangsUp(LinkId(6), At(kOther));
  StepEnds();
  ExpectRight();
}

TEST_F(WireConductTest, WantsPeersMetUnderTheInfoHashOfTheTorrentsFile) {
  config.format = TorrentFormat::kV1;
  judge.OnStart(config);
  hash = metainfo.InfoHashV1(TorrentFormat::kV1);
  Dial(kLink, At(kLink));
  ShakeHands(kLink, true);
  judge.OnInput(LinkDown{kLink, ""});
  StepEnds();
  hash = metainfo.InfoHashV1(TorrentFormat::kHybrid);
  Dial(LinkId(3), At(kLink));
  ShakeHands(LinkId(3), true);
  ExpectRight();  // it was met before
  Dial(LinkId(4), At(kOther));
  ShakeHands(LinkId(4), true);
  ExpectWrong("under another info-hash first");
}

TEST_F(WireConductTest, WantsNobodyDialledTwice) {
  Meet(kLink, true, PieceMap(3));
  judge.OnEffect(LinkConnect{kOther, At(kLink)}, now);
  ExpectWrong("dials twice at once");
}

}  // namespace
}  // namespace bt::sim
