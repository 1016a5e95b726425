#pragma once

// TreeFiles: the files of an open content that is a tree, below one directory. A few of them are open at a
// time; where a byte of the content lies is looked up here. No part of a path may be a symbolic link, so that
// nothing outside of the directory is read or written. Thread-safe; the functions block on the disk.

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

  // `directory` is open, at `path`.
  TreeFiles(net::Fd directory, std::string path, std::vector<swarm::FilePart> parts, bool writable);

  // That all parts are there, regular files of their lengths. kNotFound, kFailedPrecondition say which is
  // not.
  absl::Status CheckAll() const;
  // Makes what is missing, with its space allocated. `made`: whether anything was missing.
  absl::Status MakeAll(bool& made);
  // Takes away what MakeAll makes, and the directory, if there is nothing else in it.
  void RemoveAll();

  // kOutOfRange, or why the file cannot be opened.
  absl::StatusOr<Extent> Locate(uint64_t offset) const;
  // Bytes at `offset` were written: the file is one to be synced.
  void Written(uint64_t offset) const;
  // All that was written, and the directories if they are new.
  absl::Status Sync() const;
  // What is open is opened anew when it is asked for: another file may be under its name.
  void CloseAll() const;
  // The latest modification of any file, ns since the epoch. 0: none can be looked at.
  int64_t ModifiedNs() const;

  int directory() const { return directory_.get(); }

 private:
  size_t PartAt(uint64_t offset) const;
  // Opens a part by walking down from the directory. A valid Fd or errno.
  net::Fd Walk(const std::string& path, int flags, unsigned mode) const;
  // The directory that a path below the tree's ends in, open, and the path's last part.
  struct Place {
    net::Fd parent;
    int at = -1;  // invalid: errno says why it cannot be opened
    std::string name;
  };
  Place PlaceOf(const std::string& path) const;
  absl::StatusOr<std::shared_ptr<const net::ReadableFile>> Open(size_t part) const;
  // Every directory that a part is in, each behind the one it is in; without the root.
  std::vector<std::string> Directories() const;
  std::string PathOf(size_t part) const { return path_ + "/" + parts_[part].path; }

  const net::Fd directory_;
  const std::string path_;
  const std::vector<swarm::FilePart> parts_;
  std::vector<size_t> not_empty_;  // parts that have bytes, in order of their offsets
  const bool writable_;

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  using Recent = std::list<std::pair<size_t, std::shared_ptr<const net::ReadableFile>>>;
  mutable Recent recent_;  // the last used in front; at most kOpenFiles
  mutable absl::flat_hash_map<size_t, Recent::iterator> open_;
  mutable absl::btree_set<size_t> unsynced_;
  mutable bool directories_unsynced_ = true;
};

}  // namespace bt::nodes
