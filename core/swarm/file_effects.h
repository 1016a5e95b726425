#pragma once

// What the client machine asks of its content file and how that completes: the swarm's FileEffect and
// FileDone. A tree of files is one content file to the machine: its parts lie in it as in the torrent's
// bytes, and what is between them reads as zeros. Each effect but CloseFile completes with one FileDone.
// Hosts execute them: nodes/content on real disks, sim/scenarios/content_disk on simulated ones.

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/tagged.h"
#include "core/torrent/sha1.h"

namespace bt::swarm {

using BlockToken = Tagged<struct BlockTokenTag, uint64_t>;  // names one block operation until it completes

// --- effects ---

enum class FileMode : uint8_t {
  kRead,      // an existing file of exactly `length` bytes, or a directory in which the parts are
  kDownload,  // NAME.part, created or resumed, renamed to NAME by FinishFile
};
// One file of a tree.
struct FilePart {
  std::string path;  // below the tree's directory; validated, / between its parts
  uint64_t offset = 0;
  uint64_t length = 0;  // may be 0
  bool executable = false;
  bool selected = true;
};
struct OpenFile {
  FileId file;
  FileMode mode = FileMode::kRead;
  std::string name;  // the torrent's name, already validated; the host knows the path the user asked for
  uint64_t length = 0;
  std::vector<FilePart> parts;  // in order; none: a single file
  // Files of a tree were selected: those alone are made, and each gets its name below NAME by itself, beside
  // what is there already. What is not selected is left as it is, under NAME and under NAME.part.
  bool selection = false;
};
// Write `bytes` (at most 16 KiB) at `offset`; completes with BlockStored and the SHA-256 of the bytes.
struct StoreBlock {
  BlockToken token;
  FileId file;
  uint64_t offset = 0;
  Slice bytes;
};
enum class RangeHash : uint8_t { kLeaves, kSha1 };
// Read back and hash [offset, offset + length), cut into 16 KiB leaves for kLeaves. With kSha1 a range may
// reach past the end of a tree's file, or of the content: there are zeros.
struct HashRange {
  BlockToken token;
  FileId file;
  uint64_t offset = 0;
  uint64_t length = 0;
  RangeHash kind = RangeHash::kLeaves;
};
// Make all completed StoreBlocks durable, then `state` beside them, atomically.
struct Checkpoint {
  FileId file;
  Slice state;
};
struct FinishFile {
  FileId file;
};
struct CloseFile {
  FileId file;
};
using FileEffect = std::variant<OpenFile, StoreBlock, HashRange, Checkpoint, FinishFile, CloseFile>;

// --- completions ---

// Where a download has found a file of a tree.
enum class PartFound : uint8_t {
  kNew,      // nowhere: it has no bytes yet, and is not made unless it is selected
  kStarted,  // in NAME.part, from before
  kInPlace,  // of a selection: in NAME, and not to be written to
  kLast = kInPlace,
};
// Of OpenFile. For a download `resume` is the last checkpoint's state if one is there and the file still is
// as it was checkpointed, else empty. kNotFound, kPermissionDenied, kFailedPrecondition (wrong length),
// kAlreadyExists, kResourceExhausted (no space) say why not.
struct FileOpened {
  FileId file;
  absl::Status status;
  Slice resume;
  // A download's file was there already: without `resume` its bytes may still be good and are worth hashing.
  bool existing = false;
  // Of a download of a tree, one for each part; none: all of them as `existing` has it.
  std::vector<PartFound> parts;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("file", self.file);
    visit("status", self.status);
    visit("resume", self.resume);
    visit("existing", self.existing);
    visit("parts", self.parts);
  }
};
// Of StoreBlock: the bytes are written (not synced). `leaf` is the SHA-256 of the block.
struct BlockStored {
  BlockToken token;
  absl::Status status;
  Sha256Digest leaf{};

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("token", self.token);
    visit("status", self.status);
    visit("leaf", self.leaf);
  }
};
// Of HashRange: leaves (SHA-256 of each 16 KiB block, the last one short) or sha1.
struct RangeHashed {
  BlockToken token;
  absl::Status status;
  std::vector<Sha256Digest> leaves;
  Sha1Digest sha1{};

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("token", self.token);
    visit("status", self.status);
    visit("leaves", self.leaves);
    visit("sha1", self.sha1);
  }
};
// Of Checkpoint: file data and state are durable.
struct Checkpointed {
  FileId file;
  absl::Status status;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("file", self.file);
    visit("status", self.status);
  }
};
// Of FinishFile: synced, renamed to its final name, directory synced.
struct FileFinished {
  FileId file;
  absl::Status status;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("file", self.file);
    visit("status", self.status);
  }
};
// Of no effect: hosts look at a file that is offered (size, modification time, inode) every few seconds. What
// is in [offset, offset + length) may be other bytes than were hashed. `status`: not ok while there is
// nothing to be read.
struct FileChanged {
  FileId file;
  uint64_t offset = 0;
  uint64_t length = 0;
  absl::Status status;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("file", self.file);
    visit("offset", self.offset);
    visit("length", self.length);
    visit("status", self.status);
  }
};
using FileDone = std::variant<FileOpened, BlockStored, RangeHashed, Checkpointed, FileFinished, FileChanged>;

}  // namespace bt::swarm
