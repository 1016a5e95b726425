#pragma once

// TreeFiles: the files of an open content that is a tree, below one directory; those of a selection that is
// downloaded below two: where they are made, and where they get their final names, one by one. A few of them
// are open at a time; where a byte of the content lies is looked up here. No part of a path may be a symbolic
// link, so that nothing outside of the directories is read or written. Thread-safe but for MakeAll, which
// comes first, and UseTarget, which comes before anything is in the target; the functions block on the disk.

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/swarm/file_effects.h"
#include "net/fd.h"

namespace bt::nodes {

class TreeFiles {
 public:
  static constexpr size_t kOpenFiles = 64;

  // Where bytes of the content lie: `length` of them from `offset` of `file` on, or zeros (no file) that
  // stand nowhere.
  struct Extent {
    std::shared_ptr<const net::ReadableFile> file;
    uint64_t offset = 0;
    uint64_t length = 0;
  };

  // `directory` is open, at `path`. Files that are not selected are not there for a reader.
  TreeFiles(net::Fd directory, std::string path, std::vector<swarm::FilePart> parts, bool writable);

  // Of a selection: what is in this directory already is used from there. Selected files that are not may be
  // moved there.
  void UseTarget(net::Fd directory, std::string path);
  // That all selected parts are there, regular files of their lengths. kNotFound, kFailedPrecondition say
  // which is not.
  absl::Status CheckAll() const;
  // Makes what is missing of what is selected, with its space allocated. `found`: where each part was.
  absl::Status MakeAll(std::vector<swarm::PartFound>& found);
  // Takes away what MakeAll makes, and the directory, if there is nothing else in it.
  void RemoveAll();
  // Moves the selected files below the target, each without replacing anything (kAlreadyExists), durably. The
  // directories in which nothing is left are gone then; not the root.
  absl::Status MoveSelected();

  // kOutOfRange, or why the file cannot be opened.
  absl::StatusOr<Extent> Locate(uint64_t offset) const;
  // Bytes at `offset` were written: the file is one to be synced.
  void Written(uint64_t offset) const;
  // All that was written, and the directories if they are new.
  absl::Status Sync() const;
  // What is open is opened anew when it is asked for: another file may be under its name.
  void CloseAll() const;
  // The latest modification of any file in the directory, selected or not, ns since the epoch. 0: there is
  // none. What is below the target does not count: it is its owner's, and may be taken away.
  int64_t ModifiedNs() const;

  int directory() const { return made_.directory.get(); }
  // Where the files have their final names.
  int final_directory() const { return (target_.directory.valid() ? target_ : made_).directory.get(); }

 private:
  struct Root {
    net::Fd directory;
    std::string path;
  };
  enum class Place : uint8_t { kNowhere, kMade, kTarget };

  size_t PartAt(uint64_t offset) const;
  // Opens a part by walking down from the directory. A valid Fd or errno.
  static net::Fd Walk(const Root& root, const std::string& path, int flags, unsigned mode);
  // The directory that a path below a root ends in, open, and the path's last part.
  struct Entry {
    net::Fd parent;
    int at = -1;  // invalid: errno says why it cannot be opened
    std::string name;
  };
  static Entry EntryOf(const Root& root, const std::string& path);
  absl::StatusOr<std::shared_ptr<const net::ReadableFile>> Open(size_t part) const;
  // Every directory that a selected part is in, each behind the one it is in; without the root.
  std::vector<std::string> Directories() const;
  absl::Status MakeDirectories(const Root& root) const;
  absl::Status SyncDirectories(const Root& root) const;
  // Whether a part has its final name already. kAlreadyExists: something else has it.
  absl::StatusOr<bool> InTarget(size_t part) const;
  absl::Status Make(size_t part, swarm::PartFound& found) const;
  bool Started(size_t part) const;
  absl::Status Move(size_t part) const;
  static std::string Join(const Root& root, const std::string& path) { return root.path + "/" + path; }
  std::string PathOf(size_t part) const { return Join(made_, parts_[part].path); }

  const Root made_;
  Root target_;  // of a selection
  const std::vector<swarm::FilePart> parts_;
  std::vector<size_t> not_empty_;  // parts that have bytes, in order of their offsets
  const bool writable_;

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  std::vector<Place> places_;  // by part
  using Recent = std::list<std::pair<size_t, std::shared_ptr<const net::ReadableFile>>>;
  mutable Recent recent_;  // the last used in front; at most kOpenFiles
  mutable absl::flat_hash_map<size_t, Recent::iterator> open_;
  mutable absl::btree_set<size_t> unsynced_;
  mutable bool directories_unsynced_ = true;
};

}  // namespace bt::nodes
