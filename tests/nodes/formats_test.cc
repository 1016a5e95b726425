// Golden bytes: one sample of each format that is kept on a disk or sent to another node, by the format level
// that brought it. The files are committed, and a level that a release has had is never rewritten: later
// releases read its bytes, and write the same while it is in force. A new kind of command, record, item or
// message changes what this test writes, and so fails until it has its bytes: give it its level in kSince,
// and accept them as tests/support/golden.h says.

#include <gtest/gtest.h>

#include <concepts>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/paxos/journal.h"
#include "core/swarm/resume_state.h"
#include "core/tracker/node.h"
#include "core/wal/format.h"
#include "net/replica_handshake.h"
#include "nodes/shared/backup.h"
#include "nodes/shared/cluster_secret.h"
#include "nodes/shared/files.h"
#include "nodes/tracker/admission.h"
#include "nodes/tracker/met_peers.h"
#include "nodes/tracker/node_state.h"
#include "tests/core/tracker/fixtures.h"
#include "tests/support/golden.h"

namespace bt {
namespace {

// What no entry names is as old as the first level.
const std::map<std::string, uint32_t> kSince = {
    {"command/RaiseLevel", 2}, {"command/RegisterTree", 2}, {"item/LevelItem", 2},
    {"item/TreeItem", 2},      {"state/at_level_2", 2},
};

// Fills a value so that no two members look alike, the same way each time.
class Filler {
 public:
  template <class T>
  void operator()(const char*, T& value) {
    Fill(value);
  }

  template <class T>
  void Fill(T& value) {
    using namespace fields_internal;
    if constexpr (std::same_as<T, bool>) {
      value = true;
    } else if constexpr (FieldEnum<T>) {
      value = T::kLast;
    } else if constexpr (std::integral<T>) {
      value = static_cast<T>(Next());
    } else if constexpr (IsTagged<T>::value) {
      value = T(static_cast<typename T::rep>(Next()));
    } else if constexpr (std::same_as<T, Duration> || std::same_as<T, Instant>) {
      value.ns = static_cast<int64_t>(Next()) * 1'000'000'007;
    } else if constexpr (std::same_as<T, std::string>) {
      value = "text " + std::to_string(Next());
    } else if constexpr (std::same_as<T, Slice>) {
      value = Slice::Own("bytes " + std::to_string(Next()));
    } else if constexpr (IsByteArray<T>::value) {
      for (uint8_t& byte : value) byte = static_cast<uint8_t>(Next());
    } else if constexpr (IsVector<T>::value) {
      value.resize(2);
      for (auto& item : value) Fill(item);
    } else if constexpr (IsOptional<T>::value) {
      Fill(value.emplace());
    } else if constexpr (IsPair<T>::value) {
      Fill(value.first);
      Fill(value.second);
    } else if constexpr (IsVariant<T>::value) {
      Fill(value.template emplace<std::variant_size_v<T> - 1>());
    } else if constexpr (std::same_as<T, PieceMap>) {
      value = PieceMap(70);
      for (const uint32_t piece : {0u, 3u, 64u}) value.Add(PieceIndex(piece));
    } else if constexpr (std::same_as<T, FileTree>) {
      value = FileTree({{{"a", "b"}, 5, Sha256Digest{1}, true}, {{"c"}, 0, {}, false}}, 1 << 14, true);
    } else if constexpr (std::same_as<T, std::monostate>) {
    } else {
      T::Fields(value, *this);
      if constexpr (requires { T::kVersion; }) value.version = T::kVersion;
    }
  }

 private:
  uint64_t Next() { return ++last_ * 7; }
  uint64_t last_ = 0;
};

template <class T>
T Sample() {
  T value{};
  Filler().Fill(value);
  return value;
}

struct Format {
  std::string bytes;
  // Reads bytes of this format and writes what it has read; not there where only the writing is one's own.
  std::function<std::string(const Slice&)> again;

  uint32_t level(const std::string& name) const {
    const auto since = kSince.find(name);
    return since == kSince.end() ? tracker::kFirstLevel : since->second;
  }
};
using Formats = std::map<std::string, Format>;

template <class T>
std::string ReadAndWrite(const Slice& bytes) {
  const absl::StatusOr<T> read = Decode<T>(bytes);
  return read.ok() ? Encode(*read) : "unreadable: " + std::string(read.status().message());
}

template <class T>
std::string NameOf(const std::string& room) {
  return room + "/" + std::string(fields_internal::TypeName<T>());
}

template <class T>
void Add(const std::string& room, Formats& formats) {
  formats[NameOf<T>(room)] = {Encode(Sample<T>()), ReadAndWrite<T>};
}

// Each alternative of a variant, as the variant travels; `wrap` puts it into the outermost one.
template <class V, class Outer, size_t... I>
void AddEach(const std::string& room, Formats& formats, std::index_sequence<I...>) {
  const auto add = [&]<class T>(std::type_identity<T>) {
    if constexpr (fields_internal::IsVariant<T>::value) return;  // its alternatives have rows of their own
    formats[NameOf<T>(room)] = {Encode(Outer(V(Sample<T>()))), ReadAndWrite<Outer>};
  };
  (add(std::type_identity<std::variant_alternative_t<I, V>>()), ...);
}
template <class V, class Outer = V>
void AddVariant(const std::string& room, Formats& formats) {
  AddEach<V, Outer>(room, formats, std::make_index_sequence<std::variant_size_v<V>>());
}

std::string ReadAndWriteCommand(const Slice& bytes) {
  const absl::StatusOr<tracker::Command> read = tracker::DecodeCommand(bytes);
  if (!read.ok()) return "unreadable: " + std::string(read.status().message());
  return std::visit(
      [&](const auto& operation) {
        return std::string(tracker::EncodeCommand(read->id, operation, read->source).view());
      },
      read->operation);
}

template <class T>
void AddCommand(const std::string& name, const T& operation, Formats& formats) {
  const Slice bytes = tracker::EncodeCommand({SessionId(3), 9}, operation, Sample<tracker::Source>());
  formats[name] = {std::string(bytes.view()), ReadAndWriteCommand};
}

template <size_t... I>
void AddCommands(Formats& formats, std::index_sequence<I...>) {
  const auto add = [&]<class T>(std::type_identity<T>) {
    T sample = Sample<T>();
    if constexpr (std::same_as<T, tracker_api::Register>) sample.metainfo.tree = FileTree();
    AddCommand(NameOf<T>("command"), sample, formats);
  };
  (add(std::type_identity<std::variant_alternative_t<I, tracker::Operation>>()), ...);
  AddCommand("command/RegisterTree", Sample<tracker_api::Register>(), formats);
}

// The alternatives of a record are bare: the journal's record says which one it is.
template <size_t... I>
void AddRecords(Formats& formats, std::index_sequence<I...>) {
  (Add<std::variant_alternative_t<I, paxos::Record>>("record", formats), ...);
}

void AddSegment(Formats& formats) {
  const wal::Identity owner{.cluster = 0x1234567890abcdef, .node = NodeId(3)};
  std::string segment = wal::EncodeSegmentHeader(owner, WriteSeq(7), WriteSeq(5), wal::kGranuleBitsDefault);
  wal::AppendRecord(segment, owner, WriteSeq(7), WriteSeq(6), 2, "a body");
  wal::AppendSeal(segment, owner, WriteSeq(8));
  formats["segment/header_record_and_seal"] = {std::move(segment), nullptr};
}

std::string ReadAndWriteState(const Slice& bytes) {
  const auto read = tracker::ReplicatedState::Decode(bytes);
  return read.ok() ? read->Encode() : "unreadable: " + std::string(read.status().message());
}

void AddStates(Formats& formats) {
  tracker::ReplicatedState state;
  const Metainfo song = tracker::MakeTorrent("song", 1);
  state.Apply(tracker::At(1), tracker::EncodeCommand({SessionId(1), 1}, tracker::RegisterOf(song)));
  state.Apply(tracker::At(2),
              tracker::EncodeCommand({SessionId(1), 2}, tracker::OfferOf(song.content(), tracker::Peer(7),
                                                                         {tracker::Range(0, 2)})));
  formats["state/at_level_1"] = {state.Encode(), ReadAndWriteState};
  state.Apply(tracker::At(3), tracker::EncodeCommand({}, tracker::RaiseLevel{.to = 2}));
  formats["state/at_level_2"] = {state.Encode(), ReadAndWriteState};
}

std::string ReadAndWriteBackupHead(const Slice& bytes) {
  const auto head = nodes::DecodeBackupHead(bytes, "a backup");
  return head.ok() ? nodes::BackupBeginning(*head) : "unreadable: " + std::string(head.status().message());
}

// --- files, through those who write and read them ---

std::string Scratch() {
  static int count = 0;
  const std::string folder = testing::TempDir() + "formats_" + std::to_string(++count);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  return folder;
}

std::string BytesIn(const std::string& path) { return nodes::ReadSmallFile(path).value_or("no file"); }

std::string ReadAndWriteSecret(const Slice& bytes) {
  const std::string folder = Scratch();
  std::ofstream(folder + "/old") << std::string(bytes.view());
  const auto secret = nodes::ReadClusterSecret(folder + "/old");
  return secret.ok() && nodes::WriteClusterSecret(folder + "/new", *secret).ok() ? BytesIn(folder + "/new")
                                                                                 : "unreadable";
}

std::string ReadAndWriteNode(const Slice& bytes) {
  const std::string folder = Scratch();
  std::ofstream(folder + "/node") << std::string(bytes.view());
  const auto state = nodes::ReadNodeState(folder);
  return state.ok() && nodes::Initialise(folder + "/new", *state).ok() ? BytesIn(folder + "/new/node")
                                                                       : "unreadable";
}

// Whoever has met a peer knows which incarnation of it; the file is written when one more is met.
std::string ReadAndWritePeers(const Slice& bytes) {
  const std::string folder = Scratch();
  std::ofstream(folder + "/peers") << std::string(bytes.view());
  const auto met = nodes::MetPeers::Read(folder);
  const bool right = met.ok() && met->MayMeet(NodeId(2), 77) && !met->MayMeet(NodeId(2), 78);
  return right ? BytesIn(folder + "/peers") : "unreadable";
}

void AddFiles(Formats& formats) {
  const std::string folder = Scratch();
  EXPECT_TRUE(nodes::WriteClusterSecret(folder + "/secret", Sample<nodes::ClusterSecret>()).ok());
  formats["file/secret"] = {BytesIn(folder + "/secret"), ReadAndWriteSecret};
  nodes::NodeState state = Sample<nodes::NodeState>();
  state.node = NodeId(0);  // one that has an id is written with a journal
  EXPECT_TRUE(nodes::Initialise(folder + "/data", state).ok());
  formats["file/node"] = {BytesIn(folder + "/data/node"), ReadAndWriteNode};
  auto met = nodes::MetPeers::Read(folder);
  EXPECT_TRUE(met.ok() && met->Meet(NodeId(2), 77).ok());
  formats["file/peers"] = {BytesIn(folder + "/peers"), ReadAndWritePeers};
}

Formats AllFormats() {
  Formats formats;
  AddSegment(formats);
  AddRecords(formats, std::make_index_sequence<std::variant_size_v<paxos::Record>>());
  Add<paxos::Batch>("value", formats);
  AddCommands(formats, std::make_index_sequence<std::variant_size_v<tracker::Operation>>());
  AddVariant<tracker::StateItem>("item", formats);
  AddStates(formats);
  AddVariant<paxos::Message, tracker::Protocol::Message>("replica", formats);
  AddVariant<tracker::Protocol::Message>("node", formats);
  AddVariant<tracker::Order>("order", formats);
  Add<net::ReplicaHello>("handshake", formats);
  Add<net::ReplicaChallenge>("handshake", formats);
  Add<net::ReplicaProof>("handshake", formats);
  Add<nodes::AdmissionQuestion>("admission", formats);
  Add<nodes::AdmissionAnswer>("admission", formats);
  Add<nodes::NodeState>("file", formats);
  Add<swarm::ResumeState>("file", formats);
  AddFiles(formats);
  formats["file/backup_head"] = {
      nodes::BackupBeginning({.cluster = 5, .prefix = {Slot(9), 77}, .stamp = tracker::At(3), .parts = 2}),
      ReadAndWriteBackupHead};
  return formats;
}

std::string PathOf(uint32_t level) {
  return "tests/nodes/testdata/formats_level_" + std::to_string(level) + ".txt";
}

class FormatsTest : public testing::TestWithParam<uint32_t> {
 protected:
  const Formats formats_ = AllFormats();
};

TEST_P(FormatsTest, WhatIsWrittenHasTheBytesThatItHadWhenTheLevelCame) {
  std::string text;
  for (const auto& [name, format] : formats_)
    if (format.level(name) == GetParam()) text += name + " " + Hex(format.bytes) + "\n";
  EXPECT_FALSE(text.empty());
  test::ExpectGolden(PathOf(GetParam()), text);
}

TEST_P(FormatsTest, WhatWasEverWrittenIsReadAndWrittenAgainAlike) {
  std::ifstream file(PathOf(GetParam()));
  ASSERT_TRUE(file);
  size_t read = 0;
  for (std::string name, hex; file >> name >> hex;) {
    const auto format = formats_.find(name);
    ASSERT_NE(format, formats_.end()) << name << " is read by no one any more";
    if (format->second.again == nullptr) continue;
    ++read;
    std::string bytes(hex.size() / 2, '\0');
    ASSERT_TRUE(FromHex(hex, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()})) << name;
    EXPECT_EQ(Hex(format->second.again(Slice::Copy(bytes))), hex) << name;
  }
  EXPECT_GT(read, 0u);
}

INSTANTIATE_TEST_SUITE_P(Levels, FormatsTest,
                         testing::Range(tracker::kFirstLevel, tracker::kNewestLevel + 1));

TEST(FormatLevelsTest, EachNewerFormatIsOneOfThese) {
  const Formats formats = AllFormats();
  for (const auto& [name, level] : kSince) {
    EXPECT_TRUE(formats.contains(name)) << name;
    EXPECT_LE(level, tracker::kNewestLevel) << name;
  }
}

// The table above and the one that decides what a leader proposes must not part.
TEST(FormatLevelsTest, ACommandIsOfTheLevelThatItsBytesCameWith) {
  const auto check = [&]<size_t... I>(std::index_sequence<I...>) {
    const auto one = [&]<class T>(std::type_identity<T>) {
      const auto since = kSince.find(NameOf<T>("command"));
      EXPECT_EQ(tracker::LevelOfKind<T>(), since == kSince.end() ? tracker::kFirstLevel : since->second)
          << NameOf<T>("command");
    };
    (one(std::type_identity<std::variant_alternative_t<I, tracker::Operation>>()), ...);
  };
  check(std::make_index_sequence<std::variant_size_v<tracker::Operation>>());
}

}  // namespace
}  // namespace bt
