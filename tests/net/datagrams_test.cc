#include "net/datagrams.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/net/support.h"

namespace bt::net {
namespace {

const Address kAnywhere = Address::V4(0, 0, 0, 0, 0);
const Address kHere = Address::V4(127, 0, 0, 1, 0);

// A socket, and what it has been sent.
struct End {
  End(Loop& loop, const Address& address) {
    socket.emplace(loop, *BindDatagrams(address), [this](const DatagramRoute& from, std::string_view bytes) {
      taken.emplace_back(from, bytes);
      if (answers) socket->Send(from, "answer to " + std::string(bytes));
    });
  }
  // To the same port at one of this machine's addresses.
  DatagramRoute At(Address address) const {
    address.port = socket->address().port;
    return {.peer = address};
  }

  bool answers = false;
  std::vector<std::pair<DatagramRoute, std::string>> taken;
  std::optional<DatagramSocket> socket;
};

TEST(DatagramsTest, AnAnswerLeavesFromTheAddressThatWasAsked) {
  Loop loop;
  End client(loop, kHere);
  End server(loop, kAnywhere);
  server.answers = true;
  const Address asked = Address::V4(127, 0, 0, 2, 0);
  client.socket->Send(server.At(asked), "question");
  ASSERT_TRUE(RunUntil(loop, [&] { return !client.taken.empty(); }));
  EXPECT_EQ(client.taken[0].second, "answer to question");
  EXPECT_EQ(client.taken[0].first.peer, server.At(asked).peer);
  EXPECT_EQ(server.taken[0].first.peer, client.socket->address());
}

TEST(DatagramsTest, ASocketOfBothFamiliesSeesIpv4PeersAsWhatTheyAre) {
  Loop loop;
  absl::StatusOr<Listener> both = BindDatagrams(Address{});
  if (!both.ok()) GTEST_SKIP() << "no IPv6 here: " << both.status();
  both = absl::UnavailableError("");  // the port is free again
  End client(loop, kHere);
  End server(loop, Address{});
  server.answers = true;
  client.socket->Send(server.At(kHere), "question");
  ASSERT_TRUE(RunUntil(loop, [&] { return !client.taken.empty(); }));
  EXPECT_EQ(server.taken[0].first.peer, client.socket->address());
  EXPECT_EQ(client.taken[0].first.peer, server.At(kHere).peer);
}

TEST(DatagramsTest, MoreThanABatchArrivesWholeAndInOrder) {
  Loop loop;
  End client(loop, kHere);
  End server(loop, kHere);
  const size_t count = 200;  // in three batches
  for (size_t i = 0; i < count; ++i) client.socket->Send(server.At(kHere), std::to_string(i));
  ASSERT_TRUE(RunUntil(loop, [&] { return server.taken.size() == count; }));
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(server.taken[i].second, std::to_string(i));
  EXPECT_EQ(client.socket->counters().sent, count);
  EXPECT_EQ(client.socket->counters().unsent, 0u);
  EXPECT_EQ(server.socket->counters().received, count);
}

TEST(DatagramsTest, WhatIsTooLongIsDroppedAndCountedAndTheNextIsTaken) {
  Loop loop;
  End server(loop, kHere);
  const Fd sender(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage to{};
  const socklen_t size = ToSockaddr(server.socket->address(), to);
  for (const std::string& bytes : {std::string(kDatagramLimit + 1, 'x'), std::string(kDatagramLimit, 'y')}) {
    ASSERT_EQ(sendto(sender.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), size),
              static_cast<ssize_t>(bytes.size()));
  }
  ASSERT_TRUE(RunUntil(loop, [&] { return !server.taken.empty(); }));
  EXPECT_EQ(server.taken[0].second, std::string(kDatagramLimit, 'y'));
  EXPECT_EQ(server.socket->counters().oversized, 1u);
}

TEST(DatagramsTest, APeerThatIsNotThereKeepsNothingFromTheOthers) {
  Loop loop;
  End client(loop, kHere);
  End server(loop, kHere);
  std::optional<End> gone(std::in_place, loop, kHere);
  const DatagramRoute nobody = gone->At(kHere);
  gone.reset();
  client.socket->Send(nobody, "anybody?");
  client.socket->Send({.peer = Address::V4(127, 0, 0, 1, 0)}, "at no port");
  client.socket->Send(server.At(kHere), "question");
  ASSERT_TRUE(RunUntil(loop, [&] { return !server.taken.empty(); }));
  EXPECT_EQ(client.socket->counters().unsent, 1u) << "the one without a port";
}

TEST(DatagramsTest, APortInUseIsSaid) {
  Loop loop;
  End first(loop, kHere);
  const auto second = BindDatagrams(first.socket->address());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(second.status().message().find("in use"), std::string::npos);
}

TEST(DatagramsTest, WhatComesAfterTheEndOfReadingIsLeftAlone) {
  Loop loop;
  End client(loop, kHere);
  End server(loop, kHere);
  End other(loop, kHere);
  server.socket->StopReading();
  client.socket->Send(server.At(kHere), "question");
  client.socket->Send(other.At(kHere), "question");
  ASSERT_TRUE(RunUntil(loop, [&] { return !other.taken.empty(); }));
  loop.RunOnce(Duration{});
  EXPECT_TRUE(server.taken.empty());
}

}  // namespace
}  // namespace bt::net
