// What of a content may be read, while it is downloaded and once it is complete.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "nodes/client/hosted_transfer.h"
#include "nodes/daemon/byte_range.h"
#include "nodes/daemon/data_edge.h"
#include "nodes/daemon/data_place.h"
#include "nodes/daemon/finished_content.h"
#include "nodes/shared/file_hashing.h"
#include "nodes/shared/files.h"
#include "tests/net/support.h"

namespace bt::nodes {
namespace {

std::string Range(std::string_view value, uint64_t length) {
  const absl::StatusOr<std::optional<ByteRange>> range = ParseRange(value, length);
  if (!range.ok()) return "none";
  return *range ? std::to_string((*range)->first) + "+" + std::to_string((*range)->length) : "all";
}

TEST(ParseRangeTest, IsReadAsRfc9110HasIt) {
  EXPECT_EQ(Range("bytes=0-0", 10), "0+1");
  EXPECT_EQ(Range("Bytes=3-", 10), "3+7");
  EXPECT_EQ(Range("bytes=3-99", 10), "3+7");
  EXPECT_EQ(Range("bytes=3-99999999999999999999999", 10), "3+7");
  EXPECT_EQ(Range("bytes=-4", 10), "6+4");
  EXPECT_EQ(Range("bytes=-40", 10), "0+10");
  for (const char* none : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"}) {
    EXPECT_EQ(Range(none, 10), "none") << none;
  }
  EXPECT_EQ(Range("bytes=0-", 0), "none");
  for (const char* all : {"", "bytes", "bytes=", "bytes=-", "bytes=4-3", "bytes=1-2,4-5", "lines=1-2",
                          "bytes=a-b", "bytes=+1-2", "bytes= 1-2", "bytes=1-2 "}) {
    EXPECT_EQ(Range(all, 10), "all") << all;
  }
}

TEST(FindDataTest, FilesOfATreeGoByTheirPathsAndAFileByItsNameOrNone) {
  swarm::OpenFile file;
  file.name = "model.bin";
  file.length = 7;
  EXPECT_EQ(FindData(file, "")->length, 7u);
  EXPECT_EQ(FindData(file, "model.bin")->length, 7u);
  EXPECT_EQ(FindData(file, "other").status().code(), absl::StatusCode::kNotFound);
  swarm::OpenFile tree;
  tree.name = "models";
  tree.parts = {{"a/b", 0, 5, false, true}, {"c", 16384, 6, false, false}};
  EXPECT_EQ(FindData(tree, "a/b")->length, 5u);
  EXPECT_EQ(FindData(tree, "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FindData(tree, "a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindData(tree, "../a/b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindData(tree, "c").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(PlainHostTest, IsAnAddressAndNoNameThatAStrangerMayHaveGivenIt) {
  for (const char* host :
       {"", "localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(IsPlainHost(host)) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example:1", "daemon"}) {
    EXPECT_FALSE(IsPlainHost(host)) << host;
  }
}

std::string Bytes(const net::FileRange& range) {
  std::string bytes(range.length, '\0');
  const ssize_t got =
      ::pread(range.file->fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(range.offset));
  return got == static_cast<ssize_t>(bytes.size()) ? bytes : "";
}

constexpr uint32_t kPiece = 16 << 10;
constexpr uint32_t kPieces = 64;

class ReadableTest : public testing::Test {
 protected:
  ReadableTest() {
    for (uint32_t i = 0; i < kPieces * kPiece; ++i) bytes_ += static_cast<char>((i * 31 + i / kPiece) % 251);
    net::WriteFile(directory_ / "whole", bytes_);
    metainfo_ = HashFile(*InputFile::Open(directory_ / "whole"), "copy", kPiece).value();
  }
  // Without trackers: the downloader is told where the offerer is.
  std::unique_ptr<HostedTransfer> Host(bool offers, const Address& peer, HostedTransfer::TakeNote note) {
    HostedSetup setup;
    setup.config.role = offers ? swarm::Role::kOffer : swarm::Role::kDownload;
    setup.config.metainfo = metainfo_;
    if (!offers) setup.config.peers = {peer};
    if (!offers) setup.config.download_limit = 200'000;
    setup.path = directory_ / (offers ? "whole" : "copy");
    auto hosted = std::make_unique<HostedTransfer>(loop_, std::move(setup), std::move(note));
    address_ = hosted->Listen(Address::V4(127, 0, 0, 1, 0)).value();
    hosted->Start(address_);
    return hosted;
  }
  static bool IsReadable(const HostedTransfer& hosted, uint32_t piece) {
    return hosted.Readable(uint64_t{piece} * kPiece, 1).length == 1;
  }
  static uint32_t CountReadable(const HostedTransfer& hosted) {
    uint32_t count = 0;
    for (uint32_t piece = 0; piece < kPieces; ++piece) count += IsReadable(hosted, piece) ? 1 : 0;
    return count;
  }
  // Downloads a part, and ends as a daemon does.
  PieceMap DownloadSome() {
    const auto offer = Host(true, {}, [](const swarm::Protocol::Note&) {});
    bool stopped = false;
    const auto download = Host(false, address_, [&](const swarm::Protocol::Note& note) {
      stopped |= std::holds_alternative<swarm::Stopped>(note);
    });
    EXPECT_TRUE(net::RunUntil(loop_, [&] { return download->machine().verified().count() >= 5; }));
    PieceMap verified = download->machine().verified();
    EXPECT_LT(verified.count(), kPieces);
    for (uint32_t piece = 0; piece < kPieces; ++piece) {
      EXPECT_EQ(IsReadable(*download, piece), verified.Has(PieceIndex(piece))) << piece;
    }
    const uint64_t first = uint64_t{verified.ToRanges().front().first.value()} * kPiece;
    const net::FileRange range = download->Readable(first + 100, bytes_.size());
    EXPECT_EQ(range.length, uint64_t{verified.ToRanges().front().count} * kPiece - 100);
    EXPECT_TRUE(Bytes(range) == bytes_.substr(first + 100, range.length));
    download->Stop();
    EXPECT_TRUE(net::RunUntil(loop_, [&] { return stopped; }));
    return verified;
  }

  net::TemporaryDirectory directory_;
  std::string bytes_;
  Metainfo metainfo_;
  net::Loop loop_;
  Address address_;
};

TEST_F(ReadableTest, VerifiedPiecesAreAndAfterARestartNotBeforeTheyWereReadBack) {
  const PieceMap kept = DownloadSome();
  const uint32_t changed = kept.ToRanges().front().first.value();
  std::string part = net::ReadFile(directory_ / "copy.part");
  part[changed * kPiece + 7] ^= 1;
  {
    // In place: the checkpoint is of this very file.
    const net::Fd fd(::open((directory_ / "copy.part").c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::pwrite(fd.get(), part.data(), part.size(), 0), static_cast<ssize_t>(part.size()));
  }
  std::optional<uint32_t> believed;
  std::optional<uint32_t> readable;
  std::unique_ptr<HostedTransfer> again;
  again = Host(false, Address::V4(127, 0, 0, 1, 1), [&](const swarm::Protocol::Note& note) {
    if (!std::holds_alternative<swarm::FileReady>(note)) return;
    believed = again->machine().verified().count();
    readable = CountReadable(*again);
  });
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return believed.has_value(); }));
  EXPECT_GE(*believed, kept.count());
  EXPECT_EQ(readable, 0u);
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return CountReadable(*again) + 1 >= *believed; }));
  EXPECT_FALSE(IsReadable(*again, changed));
}

TEST_F(ReadableTest, WhatIsCompleteIsUntilItIsChanged) {
  SideThreads side(loop_, 1);
  swarm::OpenFile content;
  content.name = "whole";
  content.length = bytes_.size();
  FinishedContent finished(loop_, side, directory_ / "whole", content);
  net::FileRange range;
  const auto reads = [&] { return (range = finished.Readable(5, 1000)).length > 0; };
  ASSERT_TRUE(net::RunUntil(loop_, reads));
  EXPECT_TRUE(Bytes(range) == bytes_.substr(5, 1000));
  std::filesystem::last_write_time(
      directory_ / "whole", std::filesystem::last_write_time(directory_ / "whole") + std::chrono::seconds(1));
  ASSERT_TRUE(net::RunUntil(loop_, [&] { return reads(), !finished.status().ok(); }));
  EXPECT_FALSE(reads());
  EXPECT_NE(finished.status().message().find("was changed"), std::string_view::npos);
}

}  // namespace
}  // namespace bt::nodes
