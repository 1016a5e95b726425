#include "net/replica_handshake.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/base/fields.h"

namespace bt::net {
namespace {

using Outcome = ReplicaHandshake::Outcome;

constexpr ReplicaNonce kNonce1{1};
constexpr ReplicaNonce kNonce2{2};
constexpr ReplicaNonce kNonce3{3};

ReplicaHandshake::Identity Node(uint32_t id, uint8_t secret = 7) {
  return {.cluster = 9, .secret = {secret}, .self = NodeId(id)};
}

template <class T>
T Decoded(const std::string& body) {
  return Decode<T>(Slice::Copy(body)).value();
}

class ReplicaHandshakeTest : public testing::Test {
 protected:
  ReplicaHandshake::Step ToAcceptor(const std::string& body) { return acceptor_.Receive(Slice::Copy(body)); }
  ReplicaHandshake::Step ToDialler(const std::string& body) { return dialler_.Receive(Slice::Copy(body)); }

  ReplicaHandshake dialler_{Node(1), kNonce1, NodeId(2)};
  ReplicaHandshake acceptor_{Node(2), kNonce2};
};

TEST_F(ReplicaHandshakeTest, TwoNodesOfOneClusterProveThemselvesToEachOther) {
  const auto challenge = ToAcceptor(dialler_.Open());
  ASSERT_EQ(challenge.outcome, Outcome::kMore);
  EXPECT_EQ(acceptor_.peer(), NodeId(1));
  const auto proof = ToDialler(challenge.answer);
  ASSERT_EQ(proof.outcome, Outcome::kDone);
  EXPECT_EQ(dialler_.peer(), NodeId(2));
  const auto end = ToAcceptor(proof.answer);
  EXPECT_EQ(end.outcome, Outcome::kDone);
  EXPECT_EQ(end.answer, "");
}

TEST(ReplicaHandshake, WhoBeganWithOtherMembersIsForeignAndWhoJoinedLaterIsNot) {
  const auto outcome = [](uint64_t dials, uint64_t accepts) {
    ReplicaHandshake::Identity one = Node(1);
    ReplicaHandshake::Identity two = Node(2);
    one.first_members = dials;
    two.first_members = accepts;
    const ReplicaHandshake dialler(one, kNonce1, NodeId(2));
    return ReplicaHandshake(two, kNonce2).Receive(Slice::Own(dialler.Open())).outcome;
  };
  EXPECT_EQ(outcome(5, 5), Outcome::kMore);
  EXPECT_EQ(outcome(5, 6), Outcome::kForeign);
  EXPECT_EQ(outcome(0, 6), Outcome::kMore);
  EXPECT_EQ(outcome(5, 0), Outcome::kMore);
}

TEST_F(ReplicaHandshakeTest, NoSideBelievesOneWithAnotherSecret) {
  ReplicaHandshake liar(Node(2, 8), kNonce3);
  EXPECT_EQ(ToDialler(liar.Receive(Slice::Copy(dialler_.Open())).answer).outcome, Outcome::kUnproven);

  ReplicaHandshake impostor(Node(1, 8), kNonce3, NodeId(2));
  ASSERT_EQ(ToAcceptor(impostor.Open()).outcome, Outcome::kMore);
  // It cannot even check the challenge, and guesses.
  EXPECT_EQ(ToAcceptor(Encode(ReplicaProof{})).outcome, Outcome::kUnproven);
}

TEST_F(ReplicaHandshakeTest, AProofCoversEveryFieldOfBothHellos) {
  const std::string challenge = ToAcceptor(dialler_.Open()).answer;
  const std::vector<std::function<void(ReplicaHello&)>> changes = {
      [](ReplicaHello& hello) { hello.version = ReplicaHello::kVersion + 1; },
      [](ReplicaHello& hello) { hello.cluster = 8; },
      [](ReplicaHello& hello) { hello.from = NodeId(3); },
      [](ReplicaHello& hello) { hello.to = NodeId(3); },
      [](ReplicaHello& hello) { hello.incarnation = 3; },
      [](ReplicaHello& hello) { hello.nonce = kNonce3; },
      [](ReplicaHello& hello) { hello.newest_level = 9; },
      [](ReplicaHello& hello) { hello.program = "9.9.9"; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    auto changed = Decoded<ReplicaChallenge>(challenge);
    changes[i](changed.hello);
    const Outcome outcome = ToDialler(Encode(changed)).outcome;
    EXPECT_TRUE(outcome == Outcome::kForeign || outcome == Outcome::kUnproven ||
                outcome == Outcome::kOtherVersion)
        << i;

    auto hello = Decoded<ReplicaHello>(dialler_.Open());
    changes[i](hello);
    ReplicaHandshake acceptor(Node(2), kNonce2);
    const auto answer = acceptor.Receive(Slice::Copy(Encode(hello)));
    if (answer.outcome == Outcome::kForeign || answer.outcome == Outcome::kOtherVersion) continue;
    EXPECT_NE(ToDialler(answer.answer).outcome, Outcome::kDone) << i;
  }
}

TEST_F(ReplicaHandshakeTest, BothVersionsAreNamedWhereTheyCannotSpeakWithEachOther) {
  // Of another version nothing is known but that its version stands in front.
  std::string hello = dialler_.Open();
  hello.resize(50);
  hello[0] = ReplicaHello::kVersion - 1;
  EXPECT_EQ(ToAcceptor(hello).outcome, Outcome::kOtherVersion);
  EXPECT_NE(acceptor_.difference().find("version 6 of the handshake"), std::string::npos);
  EXPECT_NE(acceptor_.difference().find("speaks 7"), std::string::npos) << acceptor_.difference();
  EXPECT_EQ(ToDialler(hello).outcome, Outcome::kOtherVersion) << "its challenge begins with its Hello";
}

TEST(ReplicaHandshake, WhoReadsNoLevelInCommonIsToldOf) {
  const auto acceptor_of = [](uint32_t oldest, uint32_t newest) {
    ReplicaHandshake::Identity one = Node(1);
    ReplicaHandshake::Identity two = Node(2);
    one.oldest_level = 3;
    one.newest_level = 5;
    two.oldest_level = oldest;
    two.newest_level = newest;
    const ReplicaHandshake dialler(one, kNonce1, NodeId(2));
    ReplicaHandshake acceptor(two, kNonce2);
    const Outcome outcome = acceptor.Receive(Slice::Own(dialler.Open())).outcome;
    return std::pair(outcome, acceptor.difference());
  };
  EXPECT_EQ(acceptor_of(1, 3).first, Outcome::kMore);
  EXPECT_EQ(acceptor_of(5, 9).first, Outcome::kMore);
  EXPECT_EQ(acceptor_of(6, 9).first, Outcome::kOtherVersion);
  const auto [outcome, difference] = acceptor_of(1, 2);
  EXPECT_EQ(outcome, Outcome::kOtherVersion);
  EXPECT_NE(difference.find("reads format levels 3 to 5"), std::string::npos) << difference;
  EXPECT_NE(difference.find("reads 1 to 2"), std::string::npos) << difference;
}

TEST_F(ReplicaHandshakeTest, AProofThatWasOverheardIsOfNoUseInAnotherHandshake) {
  const std::string hello = dialler_.Open();
  const std::string challenge = ToAcceptor(hello).answer;
  const std::string proof = ToDialler(challenge).answer;

  ReplicaHandshake later_acceptor(Node(2), kNonce3);
  ASSERT_EQ(later_acceptor.Receive(Slice::Copy(hello)).outcome, Outcome::kMore);
  EXPECT_EQ(later_acceptor.Receive(Slice::Copy(proof)).outcome, Outcome::kUnproven);

  ReplicaHandshake later_dialler(Node(1), kNonce3, NodeId(2));
  EXPECT_EQ(later_dialler.Receive(Slice::Copy(challenge)).outcome, Outcome::kUnproven);
}

TEST_F(ReplicaHandshakeTest, AProofCountsOnTheConnectionAloneThatItIsTiedTo) {
  dialler_.Bind("a session");
  acceptor_.Bind("a session");
  const auto challenge = ToAcceptor(dialler_.Open());
  EXPECT_EQ(ToAcceptor(ToDialler(challenge.answer).answer).outcome, Outcome::kDone);
  for (const char* other : {"another session", ""}) {
    ReplicaHandshake dialler(Node(1), kNonce1, NodeId(2));
    ReplicaHandshake acceptor(Node(2), kNonce2);
    dialler.Bind("a session");
    acceptor.Bind(other);  // as when somebody between the two passes words from one session to another
    const auto passed_on = acceptor.Receive(Slice::Own(dialler.Open()));
    EXPECT_EQ(dialler.Receive(Slice::Copy(passed_on.answer)).outcome, Outcome::kUnproven);
    EXPECT_EQ(acceptor.Receive(Slice::Own(ToDialler(challenge.answer).answer)).outcome, Outcome::kUnproven);
  }
}

TEST_F(ReplicaHandshakeTest, AProofDoesNotServeTheOtherDirection) {
  const std::string challenge = ToAcceptor(dialler_.Open()).answer;
  const Sha256Digest accepts = Decoded<ReplicaChallenge>(challenge).proof;
  EXPECT_EQ(ToAcceptor(Encode(ReplicaProof{accepts})).outcome, Outcome::kUnproven);
}

TEST_F(ReplicaHandshakeTest, ANodeDoesNotMistakeItselfForAPeer) {
  EXPECT_EQ(ToDialler(Encode(ReplicaChallenge{Decoded<ReplicaHello>(dialler_.Open()), {}})).outcome,
            Outcome::kForeign);
}

TEST_F(ReplicaHandshakeTest, WhatIsNotTheNextWordIsMalformed) {
  const std::string hello = dialler_.Open();
  EXPECT_EQ(ToAcceptor("").outcome, Outcome::kMalformed);
  EXPECT_EQ(ToDialler(hello).outcome, Outcome::kMalformed);
  ASSERT_EQ(ToAcceptor(hello).outcome, Outcome::kMore);
  EXPECT_EQ(ToAcceptor(hello).outcome, Outcome::kMalformed);
  EXPECT_EQ(ToAcceptor(std::string(4000, 'x')).outcome, Outcome::kMalformed);
}

TEST_F(ReplicaHandshakeTest, NoncesAreFresh) {
  EXPECT_NE(ReplicaHandshake::FreshNonce(), ReplicaHandshake::FreshNonce());
}

}  // namespace
}  // namespace bt::net
