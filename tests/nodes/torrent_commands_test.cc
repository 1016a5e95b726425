// create and inspect on real files, and what they refuse.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/torrent/sha1.h"
#include "nodes/commands/create_command.h"
#include "nodes/commands/inspect_command.h"
#include "nodes/shared/files.h"
#include "nodes/shared/torrent_files.h"
#include "nodes/shared/torrent_format.h"
#include "tests/support/sample_content.h"

namespace bt::nodes {
namespace {

namespace fs = std::filesystem;

std::string Contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TorrentCommands : public testing::Test {
 protected:
  TorrentCommands() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("torrent_commands_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~TorrentCommands() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string MakeFile(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }
  // Every file in the folder.
  size_t FileCount() const { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})); }

  int Create(const CreateOptions& options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto status = static_cast<int>(RunCreate(options));
    out_ = testing::internal::GetCapturedStdout();
    error_ = testing::internal::GetCapturedStderr();
    return status;
  }
  int Inspect(const InspectOptions& options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto status = static_cast<int>(RunInspect(options));
    out_ = testing::internal::GetCapturedStdout();
    error_ = testing::internal::GetCapturedStderr();
    return status;
  }
  void ExpectRefused(const CreateOptions& options, int status, const std::string& reason) {
    EXPECT_EQ(Create(options), status) << reason;
    EXPECT_NE(error_.find(reason), std::string::npos) << reason << " / " << error_;
    EXPECT_EQ(std::count(error_.begin(), error_.end(), '\n'), 1) << error_;
    EXPECT_EQ(out_, "");
  }

  fs::path folder_;
  std::string out_;
  std::string error_;
};

TEST_F(TorrentCommands, CreateListsWebSeedsAndInspectShowsThem) {
  const std::vector<std::string> urls = {"http://files.example/", "https://files.example:8443/f.bin"};
  const CreateOptions options{
      .file = MakeFile("f.bin", test::SampleBytes(20'000)), .web_seeds = urls, .output = Path("f.torrent")};
  ASSERT_EQ(Create(options), 0) << error_;
  ASSERT_EQ(Inspect({.torrent = Path("f.torrent")}), 0) << error_;
  EXPECT_NE(out_.find("web-seed: http://files.example/\n"), std::string::npos) << out_;
  ASSERT_EQ(Inspect({.torrent = Path("f.torrent"), .json = true}), 0) << error_;
  EXPECT_EQ(nlohmann::json::parse(out_)["web_seeds"].get<std::vector<std::string>>(), urls);
  // In a torrent of somebody else's there may be anything.
  const std::string bytes = Contents(Path("f.torrent"));
  const std::string list = "8:url-list";
  MakeFile("g.torrent", bytes.substr(0, bytes.find(list)) + list + "10:ftp://h/\x1b\x1b" + "e");
  ASSERT_EQ(Inspect({.torrent = Path("g.torrent")}), 0) << error_;
  EXPECT_NE(out_.find("web-seed: ftp://h/?? (not asked by this client)\n"), std::string::npos) << out_;
}

TEST_F(TorrentCommands, CreateRefusesWebSeedsThatCannotBeAsked) {
  const std::string file = MakeFile("f.bin", test::SampleBytes(20'000));
  ExpectRefused({.file = file, .web_seeds = {"ftp://h/"}}, 2, "only http:// and https://");
  ExpectRefused({.file = file, .web_seeds = std::vector<std::string>(17, "http://h/")}, 2, "at most 16");
  fs::create_directories(Path("set"));
  MakeFile("set/one", "1");
  ExpectRefused({.file = Path("set"), .web_seeds = {"http://h/?id=1"}, .output = Path("set.torrent")}, 1,
                "names one file and no directory");
}

TEST_F(TorrentCommands, CreateWritesTheMetainfoOfTheFileInEachFormat) {
  const uint64_t length = 300'000;
  const std::string file = MakeFile(test::SampleName(length), test::SampleBytes(length));
  const Metainfo expected = test::SampleMetainfo(length, 65536);
  for (const std::string format : {"hybrid", "v1", "v2"}) {
    const CreateOptions options{.file = file,
                                .trackers = {"http://a:1", "http://[::1]:2/announce", "http://c.d:3/"},
                                .piece_length = 65536,
                                .format = format,
                                .output = Path("out.torrent")};
    ASSERT_EQ(Create(options), 0) << error_;

    const auto torrent = ReadTorrentFile(options.output);
    ASSERT_TRUE(torrent.ok()) << torrent.status();
    EXPECT_EQ(torrent->metainfo, expected);
    EXPECT_EQ(FormatName(torrent->format), format);
    EXPECT_EQ(torrent->trackers, (std::vector<std::string>{"http://a:1/announce", "http://[::1]:2/announce",
                                                           "http://c.d:3/announce"}));
    EXPECT_NE(out_.find("content-id: " + expected.content().ToString()), std::string::npos) << out_;
    EXPECT_EQ(out_.find("info-hash-v1") != std::string::npos, format != "v2");
    EXPECT_EQ(out_.find("info-hash-v2") != std::string::npos, format != "v1");
    EXPECT_EQ(FileCount(), 2u) << "nothing is left beside the result";
  }
}

TEST_F(TorrentCommands, CreateHashesALargeFileOnTwoThreadsToTheSameMetainfo) {
  const uint64_t length = (40 << 20) + 12'345;
  const std::string bytes = test::SampleBytes(length);
  const std::string file = MakeFile("large.bin", bytes);
  ASSERT_EQ(Create({.file = file, .output = Path("large.torrent")}), 0) << error_;

  MetainfoBuilder builder("large.bin", length, DefaultPieceLength(length));
  builder.Update(bytes);
  const auto torrent = ReadTorrentFile(Path("large.torrent"));
  ASSERT_TRUE(torrent.ok()) << torrent.status();
  EXPECT_EQ(torrent->metainfo, builder.Finish());
  EXPECT_EQ(torrent->trackers, std::vector<std::string>{"http://127.0.0.1:6969/announce"});
}

TEST_F(TorrentCommands, CreateRefusesFilesItCannotShare) {
  const std::string out = Path("out.torrent");
  ExpectRefused({.file = Path("absent"), .output = out}, 1, Path("absent") + ": no such file or directory");
  ExpectRefused({.file = folder_.string(), .output = out}, 1, folder_.string() + ": it holds no file");
  ExpectRefused({.file = folder_.string() + "/", .output = out}, 1, "it holds no file");
  ExpectRefused({.file = MakeFile("empty", ""), .output = out}, 1, "it is empty");
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  ExpectRefused({.file = Path("pipe"), .output = out}, 1, "not a regular file");
  ExpectRefused({.file = "/dev/zero", .output = out}, 1, "not a regular file");
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(TorrentCommands, CreateRefusesWrongUsage) {
  const std::string file = MakeFile("data", "data");
  const std::string out = Path("out.torrent");
  ExpectRefused({.file = file, .name = "a/b", .output = out}, 2, "path separator");
  ExpectRefused({.file = file, .name = "..", .output = out}, 2, "--name");
  ExpectRefused({.file = file, .piece_length = 1000, .output = out}, 2, "--piece-length 1000");
  ExpectRefused({.file = file, .piece_length = uint64_t{1} << 40, .output = out}, 2, "--piece-length");
  ExpectRefused({.file = file, .format = "v7", .output = out}, 2, "--format v7");
  for (const std::string tracker : {"", "not a url", "127.0.0.1:6969", "ftp://a:1", "https://a", "udp://a",
                                    "http://a", "http://:1", "http://a:", "http://a:0", "http://a:65536",
                                    "http://a:1/x", "http://a b:1", "http://a:1\n", "http://[::1:1"}) {
    ExpectRefused({.file = file, .trackers = {tracker}, .output = out}, 2, "write http://HOST:PORT");
  }
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(TorrentCommands, CreateNeverOverwritesAnythingButATorrent) {
  const std::string file = MakeFile("data", "data");
  const std::string notes = MakeFile("notes.txt", "my notes");
  fs::create_hard_link(file, Path("data-too"));
  ExpectRefused({.file = file, .output = notes}, 1, "no torrent of ours is there");
  ExpectRefused({.file = file, .output = file}, 1, "the data file itself");
  ExpectRefused({.file = file, .output = Path("data-too")}, 1, "the data file itself");
  ExpectRefused({.file = file, .output = folder_.string()}, 1, "cannot write");
  ExpectRefused({.file = file, .output = Path("none/x.torrent")}, 1, Path("none"));
  EXPECT_EQ(Contents(notes), "my notes");
  EXPECT_EQ(Contents(file), "data");

  const std::string out = Path("out.torrent");
  ASSERT_EQ(Create({.file = file, .output = out}), 0);
  EXPECT_EQ(Create({.file = file, .format = "v1", .output = out}), 0) << error_;
}

TEST_F(TorrentCommands, AFileThatChangesWhileItIsReadIsNoticed) {
  const std::string path = MakeFile("data", "1234");
  const auto file = InputFile::Open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->CheckUnchanged().ok());
  MakeFile("data", "12345");
  EXPECT_EQ(file->CheckUnchanged().code(), absl::StatusCode::kAborted);
  EXPECT_NE(file->CheckUnchanged().message().find("changed while"), absl::string_view::npos);
}

TEST_F(TorrentCommands, ReadingATorrentSaysWhichFileAndWhy) {
  const auto error = [](const std::string& path) {
    return std::string(ReadTorrentFile(path).status().message());
  };
  EXPECT_NE(error(Path("absent")).find(Path("absent") + ": no such file or directory"), std::string::npos);
  EXPECT_NE(error(folder_.string()).find("it is a directory"), std::string::npos);
  EXPECT_NE(error(MakeFile("page", "<html>")).find(Path("page") + " as a torrent: not bencode"),
            std::string::npos);
  const std::string large = MakeFile("large", "d");
  ASSERT_EQ(truncate(large.c_str(), kTorrentFileLimit + 1), 0);
  EXPECT_NE(error(large).find("is it another file?"), std::string::npos);
  if (geteuid() != 0) {
    const std::string secret = MakeFile("secret", "de");
    chmod(secret.c_str(), 0);
    EXPECT_NE(error(secret).find("permission denied"), std::string::npos);
  }
}

TEST_F(TorrentCommands, WritingLeavesTheOldFileOrTheNewOneAndNothingBeside) {
  const std::string path = MakeFile("file", "old");
  EXPECT_TRUE(WriteFileAtomically(path, "new").ok());
  EXPECT_EQ(Contents(path), "new");
  const absl::Status status = WriteFileAtomically(Path("none/file"), "x");
  EXPECT_NE(status.message().find("check the path"), absl::string_view::npos) << status;
  EXPECT_FALSE(WriteFileAtomically(folder_.string(), "x").ok());
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(TorrentCommands, InspectTellsWhatTheTorrentSays) {
  const std::string file = MakeFile("data.bin", test::SampleBytes(50'000));
  const std::string torrent = Path("out.torrent");
  ASSERT_EQ(Create({.file = file, .output = torrent}), 0);
  const Metainfo metainfo = ReadTorrentFile(torrent)->metainfo;

  ASSERT_EQ(Inspect({.torrent = torrent}), 0) << error_;
  EXPECT_NE(out_.find("name: data.bin\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("content-id: " + metainfo.content().ToString()), std::string::npos);

  ASSERT_EQ(Inspect({.torrent = torrent, .json = true}), 0) << error_;
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["name"], "data.bin");
  EXPECT_EQ(json["format"], "hybrid");
  EXPECT_EQ(json["length"], 50'000);
  EXPECT_EQ(json["piece_length"], 16384);
  EXPECT_EQ(json["piece_count"], 4);
  EXPECT_EQ(json["content_id"], metainfo.content().ToString());
  EXPECT_EQ(json["info_hash_v1"], Hex(metainfo.InfoHashV1(TorrentFormat::kHybrid)));
  EXPECT_EQ(json["info_hash_v2"], Hex(metainfo.InfoHashV2(TorrentFormat::kHybrid)));
  EXPECT_EQ(json["info_hashes"].size(), 4u);
  EXPECT_EQ(json["trackers"], std::vector<std::string>{"http://127.0.0.1:6969/announce"});
}

TEST_F(TorrentCommands, InspectRefusesWhatIsNoTorrent) {
  EXPECT_EQ(Inspect({.torrent = Path("absent.torrent")}), 1);
  EXPECT_NE(error_.find("absent.torrent: no such file or directory"), std::string::npos) << error_;
  EXPECT_EQ(out_, "");
}

TEST(TorrentFilesOfOtherMakers, InspectShowsTheirOwnInfoHash) {
  const Metainfo metainfo = test::SampleMetainfo(100, 16384);
  std::string bytes = WriteTorrent({metainfo, TorrentFormat::kV1, {}});
  bytes.replace(bytes.find("6:pieces20:") + 31, 0, "7:privatei1e");
  const std::string path = testing::TempDir() + "/foreign.torrent";
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunInspect({.torrent = path, .json = true}), ExitStatus::kDone);
  const auto json = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  const size_t info = bytes.find("4:info") + 6;
  EXPECT_EQ(json["info_hash_v1"], Hex(Sha1(bytes.substr(info, bytes.size() - 1 - info))));
  EXPECT_EQ(json["info_hashes"].size(), 5u);
  std::filesystem::remove(path);
}

TEST_F(TorrentCommands, InspectWritesAMagnetLinkAndReadsItAgain) {
  const std::string file = MakeFile("a b&c.bin", test::SampleBytes(100'000));
  for (const std::string format : {"hybrid", "v1", "v2"}) {
    ASSERT_EQ(
        Create({.file = file, .trackers = {"http://a:1"}, .format = format, .output = Path("out.torrent")}),
        0);
    ASSERT_EQ(Inspect({.torrent = Path("out.torrent"), .json = true}), 0) << error_;
    const auto torrent = nlohmann::json::parse(out_);
    ASSERT_EQ(Inspect({.torrent = torrent["magnet"], .json = true}), 0) << error_;
    const auto link = nlohmann::json::parse(out_);
    EXPECT_EQ(link["name"], "a b&c.bin");
    EXPECT_EQ(link["trackers"], torrent["trackers"]);
    EXPECT_EQ(link.value("info_hash_v1", ""), torrent.value("info_hash_v1", ""));
    EXPECT_EQ(link.value("info_hash_v2", ""), torrent.value("info_hash_v2", ""));
  }
}

TEST_F(TorrentCommands, MagnetLinksAreReadInEachForm) {
  const std::string digits = "00112233445566778899aabbccddeeff00112233";
  const auto read = [&](const std::string& link) {
    const int status = Inspect({.torrent = link});
    return status == 0 ? out_ : std::to_string(status) + error_;
  };
  EXPECT_EQ(read("magnet:?xt=urn:btih:" + digits), "info-hash-v1: " + digits + "\n");
  EXPECT_EQ(read("MAGNET:?xt.1=urn%3Abtih%3AAAISEM2EKVTHPCEZVK54ZXPO74ABCIRT"),
            "info-hash-v1: " + digits + "\n");
  EXPECT_EQ(read("magnet:?xt=urn:btmh:1220" + digits + digits.substr(0, 24) +
                 "&dn=x+y&tr=wss://t:1&x.pe=[::1]:7&x.pe=h:8"),
            "name: x y\ninfo-hash-v2: " + digits + digits.substr(0, 24) +
                "\ntracker: wss://t:1 (not asked by this client)\npeer: [::1]:7\npeer: h:8\n");
  for (const std::string& wrong : std::vector<std::string>{
           "magnet:", "magnet:?", "magnet:?dn=x", "magnet:?xt=urn:btih:12", "magnet:?xt=urn:ed2k:1",
           "magnet:?xt=urn:btmh:1114" + digits, "magnet:?xt=urn:btih:%", "magnet:?xt=urn:btih:1" + digits}) {
    EXPECT_EQ(read(wrong).substr(0, 1), "2") << wrong;
    EXPECT_NE(error_.find("magnet link: "), std::string::npos) << error_;
  }
  EXPECT_EQ(read("magnet:?xt=urn:btih:" + digits + "&x.pe=nowhere").substr(0, 1), "2");
}

}  // namespace
}  // namespace bt::nodes
