#pragma once

// A backup: the state of a cluster's log at one slot, as bytes of which the nodes of a new cluster begin. It
// is a line "bytetorrent-backup 1" and frames {length u32, xxh3-64 of the body, body}, little-endian: the
// first body is a BackupHead, then comes each part of the snapshot. Nothing in it is secret but what was
// registered and offered.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/slice.h"
#include "core/paxos/snapshot.h"
#include "core/tracker/replicated_state.h"

namespace bt::nodes {

struct BackupHead {
  static constexpr uint64_t kVersion = 1;

  uint64_t version = kVersion;
  uint64_t cluster = 0;  // id of the one it was taken of
  paxos::Prefix prefix;
  Instant stamp;  // log time there
  uint32_t parts = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("cluster", self.cluster);
    visit("prefix", self.prefix);
    visit("stamp", self.stamp);
    visit("parts", self.parts);
  }
  friend bool operator==(const BackupHead&, const BackupHead&) = default;
};

// The line and the head's frame, behind which come the frames of the parts.
std::string BackupBeginning(const BackupHead& head);
std::string BackupFrame(const Slice& part);

struct Backup {
  BackupHead head;
  std::vector<Slice> parts;        // share the bytes it was read from
  tracker::ReplicatedState state;  // what the parts make

  // Says which backup it is: those who begin of different ones are not of one cluster. Never 0.
  uint64_t digest() const;
};

// kDataLoss: damaged, cut short, or of another version of this program; the state has a digest of its own.
// `name` is for the sentence. Of bytes that begin with one.
absl::StatusOr<BackupHead> DecodeBackupHead(const Slice& bytes, const std::string& name);
absl::StatusOr<Backup> DecodeBackup(const Slice& bytes, const std::string& name);
absl::StatusOr<Backup> ReadBackup(const std::string& path);
// Makes a file of `bytes`, which only this user can read, if they are a whole backup: what was written.
// kAlreadyExists: there is such a file, it is left as it was.
absl::StatusOr<Backup> WriteBackup(const std::string& path, std::string bytes);

}  // namespace bt::nodes
