// The judge of swarms, fed a history that must make it speak, and one that must not.

#include "sim/check/swarm_integrity.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/says.h"

namespace bt::sim {
namespace {

PagedBytes Paged(const std::string& bytes) {
  PagedBytes pages;
  pages.Write(0, Slice::Copy(bytes));
  return pages;
}

struct Swarm : testing::Test {
  Swarm() {
    judge.AddHonest(good);
    judge.OnStart("x");
  }
  static Metainfo Make(const std::string& bytes) {
    MetainfoBuilder builder("f", bytes.size(), kPieceLengthMin);
    builder.Update(bytes);
    return builder.Finish();
  }
  World world{1};
  std::string bytes = std::string(40'000, 'x');
  SwarmIntegrity judge{world, Make(bytes), Slice::Copy(bytes)};
  Address good = Address::V4(10, 0, 0, 1, 1);
  Address liar = Address::V4(10, 0, 0, 2, 1);
};

TEST_F(Swarm, IsContentWithTheContent) {
  judge.OnServed("x", 16'384, std::string_view(bytes).substr(16'384, 16'384));
  judge.OnVerified("x", 2, std::string_view(bytes).substr(32'768));
  judge.OnFinished("x", Paged(bytes));
  judge.OnRejected("x", 0, {good, liar});
  judge.OnRejected("x", 0, {liar});
  judge.OnBanned("x", liar);
  judge.Judge();
  EXPECT_FALSE(world.failed());
}

TEST_F(Swarm, FindsWrongBytesServed) {
  judge.OnServed("x", 0, "y");
  EXPECT_TRUE(Says(world, "serves 1 bytes"));
}

TEST_F(Swarm, FindsAVerifiedPieceThatIsNotThere) {
  judge.OnVerified("x", 1, std::string(16'384, 'y'));
  EXPECT_TRUE(Says(world, "takes piece 1 for verified"));
}

TEST_F(Swarm, FindsAFinishedFileThatDiffers) {
  judge.OnFinished("x", Paged(bytes.substr(1) + "y"));
  EXPECT_TRUE(Says(world, "finished a file that is not the content"));
}

TEST_F(Swarm, FindsAnHonestPeerBanned) {
  judge.OnBanned("x", good);
  EXPECT_TRUE(Says(world, "which is honest"));
}

TEST_F(Swarm, FindsAPieceRejectedFromHonestPeers) {
  judge.OnRejected("x", 0, {good});
  EXPECT_TRUE(Says(world, "although only honest peers sent it"));
}

TEST_F(Swarm, FindsAProvenLiarThatIsNotBanned) {
  judge.OnRejected("x", 0, {liar});
  judge.Judge();
  EXPECT_TRUE(Says(world, "has not banned it"));
}

TEST_F(Swarm, FindsThatNobodyIsBannedForAPieceOfSeveralThatHasPassedSince) {
  judge.OnRejected("x", 0, {good, liar});
  judge.OnVerified("x", 0, std::string_view(bytes).substr(0, 16'384));
  judge.Judge();
  EXPECT_TRUE(Says(world, "with blocks of 2 peers and has passed since"));
}

TEST_F(Swarm, IsContentWhenOneOfSeveralIsBannedAndWhileThePieceHasNotPassed) {
  judge.OnRejected("x", 0, {good, liar});
  judge.OnRejected("x", 1, {good, liar});
  judge.OnVerified("x", 0, std::string_view(bytes).substr(0, 16'384));
  judge.OnBanned("x", liar);
  judge.OnRejected("y", 0, {good, liar});
  judge.OnStart("y");
  judge.OnVerified("y", 0, std::string_view(bytes).substr(0, 16'384));
  judge.Judge();
  EXPECT_FALSE(world.failed());
}

TEST_F(Swarm, LetsAClientBeDeceivedByItsOwnFileUntilThePieceIsFetchedAnew) {
  const std::string wrong(16'384, 'y');
  judge.OnAltered("x", good, 16'400);
  judge.OnResumed("x", 1, wrong);
  judge.OnServed("x", 16'384, wrong);
  judge.OnUnusable("x", 1, "not the torrent's");
  judge.OnRejected("y", 1, {good});
  judge.OnBanned("y", good);
  EXPECT_FALSE(world.failed());
  judge.OnVerified("x", 1, std::string_view(bytes).substr(16'384, 16'384));
  judge.OnServed("x", 16'384, wrong);
  EXPECT_TRUE(Says(world, "serves 16384 bytes"));
}

TEST_F(Swarm, LetsACrashBringAnAlteredPieceBackUntilItIsSeenRightAfterOne) {
  const std::string wrong(16'384, 'y');
  const std::string_view right = std::string_view(bytes).substr(16'384, 16'384);
  judge.OnAltered("x", good, 16'400);
  judge.OnVerified("x", 1, right);
  judge.OnStart("x");
  judge.OnResumed("x", 1, wrong);
  EXPECT_FALSE(world.failed()) << "the good bytes were not durable";
  judge.OnVerified("x", 1, right);
  judge.OnStart("x");
  judge.OnResumed("x", 1, right);
  judge.OnStart("x");
  judge.OnResumed("x", 1, wrong);
  EXPECT_TRUE(Says(world, "takes piece 1 for verified"));
}

TEST_F(Swarm, FindsAnAlteredFileUnderTheFinalName) {
  judge.OnAltered("x", good, 3);
  judge.OnFinished("x", Paged(bytes.substr(0, 3) + "y" + bytes.substr(4)));
  EXPECT_TRUE(Says(world, "finished a file that is not the content"));
}

TEST_F(Swarm, FindsAResumedPieceThatNobodyHasAltered) {
  judge.OnAltered("x", good, 3);
  judge.OnResumed("x", 1, std::string(16'384, 'y'));
  EXPECT_TRUE(Says(world, "takes piece 1 for verified"));
}

TEST_F(Swarm, FindsAnHonestClientThatGivesUp) {
  judge.OnFailed("x", "no reason");
  EXPECT_TRUE(Says(world, "gives up"));
}

// Pieces 0 and 1 are a's, 2 is b's.
struct SelectedFiles : testing::Test {
  static Metainfo Make() {
    const FileTree tree({{{"a"}, 20'000, {}, false}, {{"b"}, 9, {}, false}, {{"empty"}, 0, {}, false}},
                        16'384);
    MetainfoBuilder builder("tree", tree, 16'384);
    builder.Update(std::string(20'009, 'x'));
    return builder.Finish();
  }
  static std::string Bytes() {
    return std::string(20'000, 'x') + std::string(12'768, '\0') + std::string(9, 'x');
  }
  World world{1};
  std::string bytes = Bytes();
  SwarmIntegrity judge{world, Make(), Slice::Copy(bytes)};
};

TEST_F(SelectedFiles, AreRightUnderTheirNamesAndTheOthersHaveNone) {
  std::string held(bytes.size(), '?');
  held.replace(32'768, 9, std::string(9, 'x'));
  judge.OnSelectionFinished("x", {1, 2}, {0, 1, 2}, {1, 2}, Paged(held));
  EXPECT_FALSE(world.failed());
}

TEST_F(SelectedFiles, FindsOneWithoutItsName) {
  judge.OnSelectionFinished("x", {2}, {1, 2}, {1, 2}, Paged(bytes));
  EXPECT_TRUE(Says(world, "b has not its final name"));
}

TEST_F(SelectedFiles, FindsANameThatNobodyAskedFor) {
  judge.OnSelectionFinished("x", {0, 1}, {1, 2}, {1}, Paged(bytes));
  EXPECT_TRUE(Says(world, "a has its final name and was never selected"));
}

TEST_F(SelectedFiles, FindsWrongBytesUnderAName) {
  bytes[32'770] = '?';
  judge.OnSelectionFinished("x", {1}, {1}, {1}, Paged(bytes));
  EXPECT_TRUE(Says(world, "b is not the content's"));
}

}  // namespace
}  // namespace bt::sim
