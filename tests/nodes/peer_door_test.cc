// The door for peers, and Message Stream Encryption as it is spoken there.

#include "nodes/client/peer_door.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "core/base/rng.h"
#include "net/socket.h"
#include "net/stream_links.h"
#include "nodes/client/hosted_transfer.h"
#include "nodes/client/mse_filter.h"
#include "tests/net/support.h"

namespace bt::nodes {
namespace {

constexpr InfoHash kTorrent{1, 2, 3};

// Moves what one side says to the other, in pieces of any size, until neither says anything; the first
// refusal.
absl::Status Talk(MseFilter& a, MseFilter& b, uint64_t seed) {
  Rng rng(seed);
  std::string to_a;
  std::string to_b;
  while (true) {
    a.TakeEncoded(to_b);
    b.TakeEncoded(to_a);
    if (to_a.empty() && to_b.empty()) return absl::OkStatus();
    for (auto [bytes, side] : {std::pair{&to_b, &b}, std::pair{&to_a, &a}}) {
      const size_t size = std::min<size_t>(bytes->size(), rng.Between(1, 200));
      if (size == 0) continue;
      const absl::Status status = side->PutEncoded(std::string_view(*bytes).substr(0, size));
      if (!status.ok()) return status;
      bytes->erase(0, size);
    }
  }
}

std::string Plain(MseFilter& side) {
  std::string bytes(100, '\0');
  bytes.resize(side.TakePlain(bytes.data(), bytes.size()));
  return bytes;
}

TEST(Mse, Rc4IsThatOfRfc6229BehindItsFirst1024Bytes) {
  Rc4 stream(std::string_view("\1\2\3\4\5", 5));
  std::string bytes(16, '\0');
  stream.Apply(bytes.data(), bytes.size());
  EXPECT_EQ(Hex(bytes), "30abbcc7c20b01609f23ee2d5f6bb7df");
}

TEST(Mse, TwoSidesUnderstandEachOtherHoweverTheirBytesCome) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const bool hidden = seed % 2 == 0;
    MseFilter a(kTorrent, hidden ? MseFilter::Offer::kRc4 : MseFilter::Offer::kPlainlyOrRc4);
    MseFilter b([] { return std::vector<InfoHash>{InfoHash{9}, kTorrent}; });
    ASSERT_TRUE(Talk(a, b, seed).ok());
    ASSERT_TRUE(a.established() && b.established());
    EXPECT_EQ(b.torrent(), kTorrent);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(a.PutPlain("a word of a").ok() && b.PutPlain("a word of b").ok());
      std::string encoded;
      a.TakeEncoded(encoded);
      EXPECT_EQ(encoded.find("word") == std::string::npos, hidden);
      ASSERT_TRUE(b.PutEncoded(encoded).ok());
      ASSERT_TRUE(Talk(a, b, seed).ok());
      EXPECT_EQ(Plain(b), "a word of a");
      EXPECT_EQ(Plain(a), "a word of b");
    }
  }
}

TEST(Mse, WhoMeansAnotherTorrentIsRefused) {
  MseFilter a(kTorrent);
  MseFilter b([] { return std::vector<InfoHash>{InfoHash{9}}; });
  EXPECT_EQ(Talk(a, b, 1).message(),
            "message stream encryption: the peer means a torrent that is not transferred here");
}

TEST(Mse, NoiseIsRefusedBeforeItTakesRoom) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    MseFilter a(kTorrent);
    MseFilter b([] { return std::vector<InfoHash>{kTorrent}; });
    const std::string noise = net::RandomBytes(96 + 512 + 20, seed);
    EXPECT_FALSE(b.PutEncoded(noise).ok());
    EXPECT_FALSE(a.PutEncoded(noise).ok());
  }
}

TEST(Mse, AKeyThatIsNoneIsRefused) {
  for (const std::string& key :
       {std::string(96, '\0'), std::string(95, '\0') + '\1', std::string(96, '\xff')}) {
    MseFilter b([] { return std::vector<InfoHash>{kTorrent}; });
    EXPECT_EQ(b.PutEncoded(key).message(), "message stream encryption: the peer's public key is none");
  }
}

class PeerDoorTest : public testing::Test {
 protected:
  PeerDoorTest() {
    known_.fill(7);
    const auto take = [this](const InfoHash& hash, net::Accepted& accepted, const Address&) {
      if (hash != known_) return false;
      taken_.push_back(std::move(accepted));
      return true;
    };
    door_ = *PeerDoor::Open(loop_, Address::V4(127, 0, 0, 1, 0),
                            {take, [this] {
                               return std::vector<InfoHash>{InfoHash{}, known_};
                             }});
  }
  net::Fd Dial(const std::string& bytes) {
    net::Fd fd = *net::StartConnect(door_->address());
    net::RunUntil(loop_, [&] { return ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0; });
    return fd;
  }
  std::string Handshake(uint8_t hash) const {
    return "\x13"
           "BitTorrent protocol" +
           std::string(8, '\0') + std::string(20, static_cast<char>(hash)) + "-XX0000-abcdefghijkl";
  }

  net::Loop loop_;
  InfoHash known_{};
  std::vector<net::Accepted> taken_;
  std::unique_ptr<PeerDoor> door_;
};

TEST_F(PeerDoorTest, HandsOverByTheHashAndLeavesEverythingToBeRead) {
  const net::Fd peer = Dial(Handshake(7));
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return taken_.size() == 1; }));
  std::string read(100, '\0');
  const ssize_t got = ::recv(taken_[0].fd.get(), read.data(), read.size(), 0);
  ASSERT_EQ(got, 68);
  EXPECT_EQ(read.substr(0, 68), Handshake(7));
  EXPECT_EQ(taken_[0].filter, nullptr);
  EXPECT_EQ(door_->counters().handed_over, 1u);
}

TEST_F(PeerDoorTest, AHandshakeThatComesInPiecesIsWaitedFor) {
  const net::Fd peer = Dial(Handshake(7).substr(0, 30));
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return door_->waiting() == 1; }));
  const std::string rest = Handshake(7).substr(30);
  ASSERT_GT(::send(peer.get(), rest.data(), rest.size(), MSG_NOSIGNAL), 0);
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return taken_.size() == 1; }));
}

TEST_F(PeerDoorTest, StrangersAreClosed) {
  const net::Fd other = Dial(Handshake(8));
  net::Fd web = Dial("GET / HTTP/1.1\r\nHost: somebody.example\r\nAccept: everything\r\n\r\n");
  const net::Fd noise = Dial(std::string(700, 'n'));
  net::Fd short_one = Dial(
      "\x13"
      "BitTorrent");
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return door_->counters().strangers == 2; }));
  short_one.Reset();
  web.Reset();  // shorter than a key
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return door_->counters().strangers == 4; }));
  EXPECT_EQ(door_->waiting(), 0u);
  EXPECT_TRUE(taken_.empty());
}

TEST_F(PeerDoorTest, SilentConnectionsOfOneAddressTakeNobodyElsesPlace) {
  const auto from = [&](const char* host) {
    net::Fd fd = net::ConnectFrom(host, door_->address());
    loop_.RunOnce(Milliseconds(1));
    return fd;
  };
  const net::Fd slow = from("127.0.0.3");
  std::vector<net::Fd> silent;
  for (size_t i = 0; i < PeerDoor::kWaitingMax + 20; ++i) silent.push_back(from("127.0.0.2"));
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return door_->counters().given_up == 21; }));
  const std::string word = Handshake(7);
  ASSERT_EQ(::send(slow.get(), word.data(), word.size(), MSG_NOSIGNAL), static_cast<ssize_t>(word.size()));
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return taken_.size() == 1; }));
}

// What a machine hears of its links.
struct Side {
  Side(net::Loop& loop, net::StreamLinksOptions options) : links(loop, std::move(options)) {
    links.Connect(
        [this](net::LinkInput input) {
          if (std::holds_alternative<LinkUp>(input)) up = true;
          if (const auto* over = std::get_if<LinkDown>(&input)) down = over->why;
          if (const auto* bytes = std::get_if<LinkReceived>(&input)) received += bytes->bytes.view();
        },
        [](FileId, uint64_t) { return net::FileSpot{}; });
  }
  bool up = false;
  std::string down;
  std::string received;
  net::StreamLinks links;
};

TEST_F(PeerDoorTest, WhoSpeaksMseIsHandedOverWithTheFilterThatHasHeardHim) {
  for (const auto offer : {MseFilter::Offer::kRc4, MseFilter::Offer::kPlainlyOrRc4}) {
    net::StreamLinksOptions options;
    options.connection.make_filter = [&](net::FilterSide, const Address&) {
      return std::make_unique<MseFilter>(known_, offer);
    };
    Side there(loop_, std::move(options));
    Side here(loop_, {});
    there.links.Execute(LinkConnect{LinkId(1), door_->address()});
    ASSERT_TRUE(net::RunUntil(loop_, [&] { return taken_.size() == 1 && there.up; }));
    here.links.Adopt(std::move(taken_[0]), Address());
    taken_.clear();
    const std::string long_word = net::RandomBytes(3'000'000, 5);
    there.links.Execute(LinkSendBytes{LinkId(1), Slice::Copy(long_word)});
    ASSERT_TRUE(net::RunUntil(loop_, [&] { return here.received.size() == long_word.size(); }));
    EXPECT_TRUE(here.received == long_word);
    here.links.Execute(LinkSendBytes{LinkId(kInboundLink | 1), Slice::Copy("answer")});
    ASSERT_TRUE(net::RunUntil(loop_, [&] { return there.received == "answer"; }));
    there.links.Execute(LinkClose{LinkId(1), true});
    ASSERT_TRUE(net::RunUntil(loop_, [&] { return !here.down.empty(); }));
    EXPECT_EQ(here.down, "the peer closed the connection");
  }
  EXPECT_EQ(door_->counters().encrypted, 2u);
  EXPECT_EQ(door_->counters().handed_over, 2u);
}

// Downloads from a peer that closes whatever begins as a plain handshake.
TEST_F(PeerDoorTest, WhoHangsUpOnAPlainHandshakeIsDialledWithMse) {
  net::TemporaryDirectory directory;
  MetainfoBuilder builder("content", 100'000, 16384);
  builder.Update(std::string(100'000, 'c'));
  HostedSetup setup;
  setup.config.role = swarm::Role::kDownload;
  setup.config.metainfo = builder.Finish();
  setup.config.timing.reconnect_min = Milliseconds(50);
  setup.path = directory / "copy";
  const InfoHash hash = setup.config.metainfo->InfoHashV1(TorrentFormat::kHybrid);
  std::vector<net::Fd> dialled;
  net::Acceptor peer(loop_, *net::Listen(Address::V4(127, 0, 0, 1, 0)),
                     [&](net::Fd fd, const Address&) { dialled.push_back(std::move(fd)); });
  setup.config.peers = {peer.address()};
  HostedTransfer download(loop_, std::move(setup), [](const swarm::Protocol::Note&) {});
  download.Start(*download.Listen(Address::V4(127, 0, 0, 1, 0)));
  const auto begin = [&](size_t size) {
    std::string bytes(size, '\0');
    const auto there = [&] {
      return !dialled.empty() &&
             ::recv(dialled.back().get(), bytes.data(), size, MSG_PEEK) == static_cast<ssize_t>(size);
    };
    EXPECT_TRUE(net::RunUntil(loop_, there));
    return bytes;
  };
  EXPECT_EQ(begin(48), Handshake(0).substr(0, 20) + begin(48).substr(20));
  dialled.clear();
  EXPECT_NE(begin(48).substr(0, 20), Handshake(0).substr(0, 20));
  net::Transport transport(std::move(dialled.back()),
                           std::make_unique<MseFilter>([&] { return std::vector<InfoHash>{hash}; }));
  std::string plain(48, '\0');
  ASSERT_TRUE(net::RunUntil(loop_, [&] {
    return transport.Shake().state == net::IoResult::State::kDone &&
           transport.Receive(plain.data(), plain.size()).bytes == plain.size();
  }));
  EXPECT_EQ(plain.substr(0, 20), Handshake(0).substr(0, 20));
}

}  // namespace
}  // namespace bt::nodes
