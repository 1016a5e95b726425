#pragma once

// PosixDirectory: wal::Directory over a real directory, locked against other processes. Begin notes an
// operation; Finish carries it out and blocks as long as the disk does, so it belongs on a thread that may
// wait. One thread at a time. Errors name the path and say what to do.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/wal/directory.h"
#include "core/wal/journal_files.h"
#include "net/fd.h"
#include "net/latency_histogram.h"

namespace bt::net {

class PosixDirectory final : public wal::Directory {
 public:
  // Makes the directory if it is not there, unless `create` says not to (kNotFound). kAlreadyExists: another
  // process has it.
  static absl::StatusOr<std::unique_ptr<PosixDirectory>> Open(std::string path, bool create);

  void Begin(wal::Operation operation) override;
  // Carries out what has been begun.
  wal::Completion Finish();
  // Of the files that were read or made here.
  uint64_t bytes() const;
  size_t files() const { return sizes_.size(); }
  // Room on the file system for who may not use what is kept for root; nullopt: the system does not say.
  // Blocks as long as the disk does.
  std::optional<uint64_t> FreeBytes() const;
  const LatencyHistogram& syncs() const { return syncs_; }
  // Carries out whatever `files` begins until it has nothing more to do.
  void Run(wal::JournalFiles& files) {
    while (files.busy()) files.Done(Finish());
  }

 private:
  explicit PosixDirectory(std::string path) : path_(std::move(path)) {}

  absl::Status Lock();
  wal::Completion List() const;
  wal::Completion Read(const wal::ReadFile& read);
  absl::Status Sync(int fd, const std::string& path);
  absl::Status Write(const wal::WriteFile& write);
  absl::Status Rename(const wal::RenameFile& rename);
  // Opens the file with `flags`, unless it is the one that is open already and they are 0.
  absl::Status Use(const std::string& name, int flags);
  std::string PathOf(const std::string& name) const;

  const std::string path_;
  Fd directory_;
  Fd lock_;
  Fd file_;
  std::string file_name_;  // of file_; at most one name
  std::optional<wal::Operation> operation_;
  // lint: allow(limit): one for each file of the directory
  std::map<std::string, uint64_t> sizes_;
  LatencyHistogram syncs_;
};

}  // namespace bt::net
