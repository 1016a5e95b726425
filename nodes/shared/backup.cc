#include "nodes/shared/backup.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <string_view>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/base/version.h"
#include "core/tracker/state_builder.h"
#include "nodes/shared/files.h"

namespace bt::nodes {
namespace {

constexpr std::string_view kLine = "bytetorrent-backup 1\n";
constexpr size_t kFrameHeaderBytes = 4 + 8;
constexpr size_t kHeadBytesMax = 1024;
// The line, a snapshot at its limit, and what is around each part.
constexpr size_t kBackupBytesMax = kLine.size() + kHeadBytesMax + paxos::kSnapshotBytesMax +
                                   size_t{paxos::kSnapshotPartsMax} * kFrameHeaderBytes;

// Takes a frame's body off the front; nullopt: there is no whole, undamaged frame.
std::optional<Slice> TakeFrame(Slice& rest) {
  if (rest.size() < kFrameHeaderBytes) return std::nullopt;
  const char* header = rest.view().data();
  const size_t length = LoadLittle(header, 4);
  const uint64_t checksum = LoadLittle(header + 4, 8);
  rest = rest.From(kFrameHeaderBytes);
  if (rest.size() < length) return std::nullopt;
  const Slice body = rest.Sub(0, length);
  rest = rest.From(length);
  return HashBytes(body.view()) == checksum ? std::optional(body) : std::nullopt;
}

absl::Status Unusable(const std::string& name, const std::string& why) {
  return absl::DataLossError(
      absl::StrCat(name, " is no backup that can be used: ", why, "; take another one"));
}

absl::StatusOr<BackupHead> TakeHead(Slice& rest, const std::string& name) {
  if (!rest.view().starts_with(kLine)) return Unusable(name, "its first line is not that of a backup");
  rest = rest.From(kLine.size());
  const std::optional<Slice> body = TakeFrame(rest);
  if (!body) return Unusable(name, "its head is damaged or cut off");
  const absl::StatusOr<BackupHead> head = Decode<BackupHead>(*body);
  if (!head.ok() || head->version != BackupHead::kVersion) {
    return Unusable(name, absl::StrCat("its head is of another version of the format than ",
                                       BackupHead::kVersion, ", which this program (", kVersion, ") reads"));
  }
  if (head->parts > 0 && head->parts <= paxos::kSnapshotPartsMax) return head;
  return Unusable(name, absl::StrCat("it says that it has ", head->parts, " parts"));
}

}  // namespace

std::string BackupFrame(const Slice& part) {
  std::string frame(kFrameHeaderBytes, '\0');
  StoreLittle(frame.data(), part.size(), 4);
  StoreLittle(frame.data() + 4, HashBytes(part.view()), 8);
  return frame.append(part.view());
}

std::string BackupBeginning(const BackupHead& head) {
  return std::string(kLine) + BackupFrame(Slice::Own(Encode(head)));
}

uint64_t Backup::digest() const {
  RollingDigest digest;
  digest.Add(head.prefix.slot.value());
  digest.Add(head.prefix.chain);
  digest.Add(state.Digest());
  return digest.value() | 1;
}

absl::StatusOr<BackupHead> DecodeBackupHead(const Slice& bytes, const std::string& name) {
  Slice rest = bytes;
  return TakeHead(rest, name);
}

absl::StatusOr<Backup> DecodeBackup(const Slice& bytes, const std::string& name) {
  Slice rest = bytes;
  absl::StatusOr<BackupHead> head = TakeHead(rest, name);
  if (!head.ok()) return head.status();
  Backup backup{.head = *std::move(head)};
  for (uint32_t part = 0; part < backup.head.parts; ++part) {
    std::optional<Slice> body = TakeFrame(rest);
    if (!body) {
      return Unusable(name,
                      absl::StrCat("part ", part + 1, " of ", backup.head.parts, " is damaged or cut off"));
    }
    backup.parts.push_back(*std::move(body));
  }
  if (!rest.empty()) return Unusable(name, absl::StrCat(rest.size(), " bytes follow on its last part"));
  absl::StatusOr<tracker::ReplicatedState> state = tracker::ReadState(backup.parts);
  if (!state.ok()) return Unusable(name, std::string(state.status().message()));
  backup.state = *std::move(state);
  return backup;
}

absl::StatusOr<Backup> ReadBackup(const std::string& path) {
  const absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> bytes = file->ReadAll(kBackupBytesMax, "a backup");
  if (!bytes.ok()) return bytes.status();
  return DecodeBackup(Slice::Own(*std::move(bytes)), path);
}

absl::StatusOr<Backup> WriteBackup(const std::string& path, std::string bytes) {
  const Slice whole = Slice::Own(std::move(bytes));
  absl::StatusOr<Backup> backup = DecodeBackup(whole, "what came");
  if (!backup.ok()) return backup;
  const absl::Status written = CreateSecretFile(path, whole.view());
  if (!written.ok()) return written;
  return backup;
}

}  // namespace bt::nodes
