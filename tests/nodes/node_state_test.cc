// A node's first state on disk: written whole or not at all, at whatever step a crash comes.

#include "nodes/tracker/node_state.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/machine/outbox.h"
#include "net/journal.h"
#include "net/loop.h"
#include "nodes/shared/cluster_secret.h"
#include "nodes/tracker/met_peers.h"

namespace bt::nodes {
namespace {

namespace fs = std::filesystem;

class NodeStateTest : public testing::Test {
 protected:
  NodeStateTest() { fs::create_directories(directory_); }
  ~NodeStateTest() override { fs::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string Bytes(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Put(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }
  DirectoryKind Kind() const { return Inspect(directory_).value(); }
  // A journal of `state`'s node with one record in it, as a node that has served leaves it.
  void Serve(const NodeState& state) const {
    net::Loop loop;
    net::JournalRecovery recovery;
    auto journal = net::Journal::Open(loop, {directory_, state.journal_identity()}, recovery);
    ASSERT_TRUE(journal.ok()) << journal.status();
    (*journal)->Append({.seq = recovery.last.next(), .type = 1, .body = Slice::Static("acknowledged")});
  }
  size_t Records(const NodeState& state) const {
    net::Loop loop;
    net::JournalRecovery recovery;
    EXPECT_TRUE(net::Journal::Open(loop, {directory_, state.journal_identity()}, recovery).ok());
    return recovery.records.size();
  }

  const std::string directory_ = std::string(std::getenv("TEST_TMPDIR")) + "/node";
  const NodeState state_{.secret = DrawClusterSecret(),
                         .node = NodeId(2),
                         .incarnation = DrawIncarnation(),
                         .members = {NodeId(1), NodeId(2)}};
};

TEST_F(NodeStateTest, WhatWasInitialisedIsReadBackAndOnlyItsOwnerMayReadIt) {
  EXPECT_EQ(Kind(), DirectoryKind::kEmpty);
  ASSERT_TRUE(Initialise(directory_, state_).ok());
  EXPECT_EQ(Kind(), DirectoryKind::kNode);
  EXPECT_EQ(ReadNodeState(directory_).value(), state_);
  struct stat info {};
  ASSERT_EQ(::stat(Path("node").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(NodeStateTest, ADirectoryIsInitialisedOnce) {
  ASSERT_TRUE(Initialise(directory_, state_).ok());
  Serve(state_);
  EXPECT_TRUE(absl::IsFailedPrecondition(Initialise(directory_, state_)));
  EXPECT_EQ(Records(state_), 1u);
  EXPECT_FALSE(fs::exists(Path("node.new")));
}

TEST_F(NodeStateTest, AJournalWithoutAStateIsNeverTakenForALeftover) {
  Serve(state_);
  ASSERT_EQ(Kind(), DirectoryKind::kJournalAlone);
  EXPECT_TRUE(absl::IsFailedPrecondition(Initialise(directory_, state_)));
  // A crash before the first byte of the new state: the next init must not remove the journal either.
  Put("node.new", "");
  EXPECT_EQ(Kind(), DirectoryKind::kJournalAlone);
  EXPECT_TRUE(absl::IsFailedPrecondition(Initialise(directory_, state_)));
  EXPECT_EQ(Records(state_), 1u);
}

// The states a crash of Initialise leaves, in order; another cluster's init completes each.
TEST_F(NodeStateTest, AnInterruptedInitIsBegunAnewByTheNextOne) {
  ASSERT_TRUE(Initialise(directory_, state_).ok());
  const std::string whole = Bytes("node");
  const NodeState other{.secret = DrawClusterSecret(), .node = NodeId(1), .members = {NodeId(1)}};
  for (const bool journal : {false, true}) {
    for (const size_t written : {size_t{0}, size_t{1}, whole.size()}) {
      if (journal && written < whole.size()) continue;  // the journal comes after the whole file is durable
      fs::remove_all(directory_);
      ASSERT_TRUE(Initialise(directory_, state_).ok());
      fs::remove(Path("node"));
      Put("node.new", whole.substr(0, written));
      if (!journal) fs::remove(Path(wal::SegmentFileName(WriteSeq(1))));
      ASSERT_EQ(Kind(), written == 0 ? DirectoryKind::kEmpty : DirectoryKind::kInterrupted);
      const absl::Status again = Initialise(directory_, other);
      ASSERT_TRUE(again.ok()) << again;
      EXPECT_EQ(ReadNodeState(directory_).value(), other);
      EXPECT_EQ(Records(other), 0u);
    }
  }
}

TEST_F(NodeStateTest, AJournalOfGivenRecordsHoldsThemDurablyAndAnInterruptedInitDoesNotDoubleThem) {
  const auto records = [] {
    return std::vector<JournalWrite>{{.seq = WriteSeq(1), .type = 5, .body = Slice::Static("part")},
                                     {.seq = WriteSeq(2), .type = 5, .body = Slice::Static("last part")}};
  };
  ASSERT_TRUE(Initialise(directory_, state_, records()).ok());
  EXPECT_EQ(Records(state_), 2u);
  fs::rename(Path("node"), Path("node.new"));
  ASSERT_EQ(Kind(), DirectoryKind::kInterrupted);
  ASSERT_TRUE(Initialise(directory_, state_, records()).ok());
  EXPECT_EQ(Records(state_), 2u);
}

TEST_F(NodeStateTest, ADamagedStateIsRefusedWhereverTheDamageIs) {
  ASSERT_TRUE(Initialise(directory_, state_).ok());
  const std::string whole = Bytes("node");
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    Put("node", damaged);
    EXPECT_TRUE(absl::IsDataLoss(ReadNodeState(directory_).status())) << at;
    Put("node", whole.substr(0, at));
    EXPECT_TRUE(absl::IsDataLoss(ReadNodeState(directory_).status())) << at;
  }
}

TEST_F(NodeStateTest, ADamagedJournalIsSetAsideAndTheIdGivenUp) {
  NodeState served = state_;
  served.entry = served.node;
  ASSERT_TRUE(Initialise(directory_, served).ok());
  Serve(served);
  const std::string journal = wal::SegmentFileName(WriteSeq(1));
  const std::string bytes = Bytes(journal);
  const NodeState now = GiveUpId(directory_, served).value();
  EXPECT_EQ(now.node, NodeId(0));
  EXPECT_EQ(now.entry, served.entry);
  EXPECT_EQ(now.replaces, served.node);
  EXPECT_NE(now.incarnation, served.incarnation);
  EXPECT_EQ(ReadNodeState(directory_).value(), now);
  EXPECT_FALSE(fs::exists(Path(journal)));
  EXPECT_EQ(Bytes("damaged/" + journal), bytes);
  EXPECT_EQ(ReadNodeState(SetAsidePath(directory_)).value(), served);
  struct stat info {};
  ASSERT_EQ(::stat(Path("damaged/node").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u) << "the secret is in it";

  const NodeState again = TakeId(directory_, now, NodeId(9)).value();
  EXPECT_EQ(again.node, NodeId(9));
  EXPECT_EQ(again.entry, served.entry);
  EXPECT_EQ(ReadNodeState(directory_).value(), again);
  EXPECT_EQ(Records(again), 0u);
}

// A crash between the new state and the last of the files; and one between the new journal and its state.
TEST_F(NodeStateTest, WhatACrashLeavesOfAGivenUpJournalIsNobodysAndNothingSetAsideIsLost) {
  ASSERT_TRUE(Initialise(directory_, state_).ok());
  Serve(state_);
  const std::string journal = wal::SegmentFileName(WriteSeq(1));
  const std::string bytes = Bytes(journal);
  const NodeState now = GiveUpId(directory_, state_).value();
  fs::rename(Path("damaged/" + journal), Path(journal));
  ASSERT_TRUE(SetJournalAside(directory_, now).ok());
  EXPECT_EQ(Bytes("damaged/" + journal), bytes);

  ASSERT_TRUE(TakeId(directory_, now, NodeId(9)).ok());
  ASSERT_TRUE(SetJournalAside(directory_, now).ok());
  EXPECT_FALSE(fs::exists(Path(journal)));
  EXPECT_EQ(Bytes("damaged/" + journal), bytes) << "the empty journal did not take its place";
}

TEST_F(NodeStateTest, ClustersAndListsOfFirstMembersAreToldApart) {
  NodeState more = state_;
  more.members.push_back(NodeId(3));
  EXPECT_NE(more.first_members(), state_.first_members());
  NodeState restored = state_;
  restored.backup = 7;
  EXPECT_NE(restored.first_members(), state_.first_members()) << "what they begin with is told apart as well";
  more.members.clear();
  EXPECT_EQ(more.first_members(), 0u) << "who joins says nothing of them";
  EXPECT_EQ(more.journal_identity(), state_.journal_identity());
  NodeState other = state_;
  other.secret[31] ^= 1;
  EXPECT_FALSE(other.journal_identity() == state_.journal_identity());
}

TEST_F(NodeStateTest, APeerIsMetAsOneIncarnationForEver) {
  {
    MetPeers peers = MetPeers::Read(directory_).value();
    EXPECT_TRUE(peers.MayMeet(NodeId(2), 20));
    EXPECT_TRUE(peers.MayMeet(NodeId(2), 21)) << "nothing is remembered of who was only asked about";
    ASSERT_TRUE(peers.Meet(NodeId(2), 20).ok());
    ASSERT_TRUE(peers.Meet(NodeId(3), 30).ok());
    ASSERT_TRUE(peers.Meet(NodeId(2), 20).ok());
  }
  const MetPeers peers = MetPeers::Read(directory_).value();
  EXPECT_TRUE(peers.MayMeet(NodeId(2), 20));
  EXPECT_FALSE(peers.MayMeet(NodeId(2), 21));
  EXPECT_TRUE(peers.MayMeet(NodeId(3), 30));
  EXPECT_FALSE(peers.MayMeet(NodeId(3), 20));
}

TEST_F(NodeStateTest, AMemoryOfPeersThatIsDamagedIsRefused) {
  ASSERT_TRUE(MetPeers::Read(directory_)->Meet(NodeId(2), 20).ok());
  const std::string whole = Bytes("peers");
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    Put("peers", damaged);
    EXPECT_TRUE(absl::IsDataLoss(MetPeers::Read(directory_).status())) << at;
    Put("peers", whole.substr(0, at));
    EXPECT_TRUE(absl::IsDataLoss(MetPeers::Read(directory_).status())) << at;
  }
}

TEST_F(NodeStateTest, ASecretIsDrawnOnceAndReadBackByItsOwnerAlone) {
  ASSERT_TRUE(WriteClusterSecret(Path("secret"), state_.secret).ok());
  EXPECT_EQ(ReadClusterSecret(Path("secret")).value(), state_.secret);
  struct stat info {};
  ASSERT_EQ(::stat(Path("secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(absl::IsAlreadyExists(WriteClusterSecret(Path("secret"), DrawClusterSecret())));
  EXPECT_EQ(ReadClusterSecret(Path("secret")).value(), state_.secret);
}

TEST_F(NodeStateTest, WhatIsNoSecretIsRefused) {
  ASSERT_TRUE(WriteClusterSecret(Path("secret"), state_.secret).ok());
  const std::string whole = Bytes("secret");
  for (const std::string& bytes : {std::string(), std::string("\n"), whole.substr(0, whole.size() - 2),
                                   whole + "more", std::string(100'000, 'a')}) {
    Put("wrong", bytes);
    EXPECT_TRUE(absl::IsFailedPrecondition(ReadClusterSecret(Path("wrong")).status())) << bytes.size();
  }
  EXPECT_TRUE(absl::IsNotFound(ReadClusterSecret(Path("absent")).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadClusterSecret(directory_).status()));
}

}  // namespace
}  // namespace bt::nodes
