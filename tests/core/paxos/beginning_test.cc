// A log that begins above slot 1: what lies below is in a snapshot, and only its chain digest is known.

#include <gtest/gtest.h>

#include "core/base/fields.h"
#include "core/base/rng.h"
#include "core/paxos/acceptor.h"
#include "core/paxos/replica.h"

namespace bt::paxos {
namespace {

constexpr Ballot kBallot{1, NodeId(1)};

Slice Value(std::string_view command) {
  return Slice::Own(Encode(Batch{Instant{5}, {Slice::Copy(command)}}));
}

// An acceptor that was told of four slots, as its journal would give it back.
class BeginningTest : public testing::Test {
 protected:
  BeginningTest() {
    whole_.RaisePromise(kBallot, out_);
    for (uint64_t slot = 1; slot <= 4; ++slot) {
      whole_.Accept(kBallot, Slot(slot), Value(std::string(1, static_cast<char>('a' + slot))), out_);
    }
    whole_.Advance(kBallot, Slot(3), out_);
    whole_.RecordChosen(out_);
    for (const JournalWrite& write : out_.writes) records_.push_back({write.seq, write.type, write.body});
    beginning_ = {{Slot(2), *whole_.ChainAt(Slot(2))}, Instant{5}};
  }

  Config config_;
  Outbox<Protocol> out_;
  Acceptor whole_{config_};
  std::vector<JournalRecord> records_;
  Beginning beginning_;
};

TEST_F(BeginningTest, RecoveryPassesOverWhatTheSnapshotHoldsAndComesToTheSameEnd) {
  Acceptor cut(config_, beginning_);
  Outbox<Protocol> out;
  cut.Recover(records_, out);
  EXPECT_EQ(cut.promised(), kBallot);
  EXPECT_EQ(cut.log().first(), Slot(3));
  EXPECT_EQ(cut.chosen(), Slot(3));
  EXPECT_EQ(cut.prefix().chain(), whole_.prefix().chain());
  EXPECT_EQ(cut.Report(Slot(1)), whole_.Report(Slot(1)));
  const std::vector<Decided> decided = cut.TakeDecided();
  ASSERT_EQ(decided.size(), 1u);
  EXPECT_EQ(decided[0].slot, Slot(3));
}

TEST_F(BeginningTest, ASnapshotAheadOfTheJournalIsTheWatermark) {
  Acceptor ahead(config_, Beginning{{Slot(9), 99}, Instant{5}});
  Outbox<Protocol> out;
  ahead.Recover(records_, out);
  ahead.CheckInvariants();
  EXPECT_EQ(ahead.chosen(), Slot(9));
  EXPECT_EQ(ahead.promised(), kBallot);
  EXPECT_TRUE(ahead.TakeDecided().empty());
  EXPECT_TRUE(ahead.Report(Slot(1)).entries.empty());
}

TEST_F(BeginningTest, BelowTheLogNothingIsComparedAndEveryValueIsAnswered) {
  Acceptor cut(config_, beginning_);
  Outbox<Protocol> out;
  cut.Recover(records_, out);
  EXPECT_EQ(cut.ChainAt(Slot(2)), whole_.ChainAt(Slot(2)));
  EXPECT_EQ(cut.ChainAt(Slot(1)), std::nullopt);
  EXPECT_EQ(cut.ChainAt(Slot(0)), std::nullopt);
  EXPECT_EQ(cut.ChosenValue(Slot(2)), std::nullopt);
  EXPECT_TRUE(cut.Accept(kBallot, Slot(1), Value("anything"), out));
  EXPECT_TRUE(out.writes.empty());
}

// A replica alone with its inputs.
class BegunReplica : public BeginningTest {
 protected:
  BegunReplica() : replica_(ThreeNodes(), Snapshot{beginning_.prefix, beginning_.stamp, {}}) {
    Step(Started{records_});
  }

  static Config ThreeNodes() {
    Config config;
    config.members = {NodeId(1), NodeId(2), NodeId(3)};
    return config;
  }
  void Step(const Input<Protocol>& input) {
    effects_.Clear();
    Context<Protocol> context{Instant{1'000'000'000}, rng_, effects_};
    replica_.Step(input, context);
    replica_.CheckInvariants();
  }
  template <class T>
  T Answer(NodeId from, Message message) {
    Step(Received<Protocol>{from, std::move(message)});
    EXPECT_EQ(effects_.sends.size(), 1u);
    return std::get<T>(effects_.sends.at(0).message);
  }

  Rng rng_{1};
  Outbox<Protocol> effects_{WriteSeq(100)};
  Replica replica_;
};

TEST_F(BegunReplica, CatchUpIsServedFromWhereTheLogBegins) {
  EXPECT_EQ(replica_.first(), Slot(3));
  EXPECT_EQ(Answer<CatchUpReply>(NodeId(2), CatchUp{Slot(3)}),
            (CatchUpReply{Slot(3), Slot(3), Slot(3), {Value("d")}}));
  EXPECT_EQ(Answer<CatchUpReply>(NodeId(2), CatchUp{Slot(1)}), (CatchUpReply{Slot(1), Slot(3), Slot(3), {}}))
      << "others may have it";
}

TEST_F(BegunReplica, ALeaderComparesNothingBelowItsLog) {
  Step(TimerFired<Protocol>{Protocol::Timer::kElection});
  Step(Received<Protocol>{NodeId(2), PreVoteReply{Ballot{2, NodeId(1)}, kBallot, true}});
  Step(WriteDone{WriteSeq(101)});
  Step(Received<Protocol>{NodeId(2), Promise{Ballot{2, NodeId(1)}, Slot(4), Slot(0), Slot(0), {}}});
  ASSERT_TRUE(replica_.is_leader());
  Step(Received<Protocol>{NodeId(2), HeartbeatReply{Ballot{2, NodeId(1)}, 1, Slot(1)}});
  Step(TimerFired<Protocol>{Protocol::Timer::kHeartbeat});
  const auto& heartbeat = std::get<Heartbeat>(effects_.sends.at(0).message);
  EXPECT_EQ(heartbeat.common, beginning_.prefix);
}

}  // namespace
}  // namespace bt::paxos
