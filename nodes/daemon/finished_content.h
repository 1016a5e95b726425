#pragma once

// FinishedContent: what a transfer was when it ended with every piece proven, to be read by users as long as
// nobody changes it. Once its machine is gone nobody looks at the files any more, so they are looked at here,
// beside the loop: when they are read, and every other second while they are. Bytes of a file whose inode,
// length or time of modification differ from what they were then are not given out. Loop thread only.

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/time.h"
#include "core/swarm/file_effects.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "nodes/content/content_file.h"
#include "nodes/content/content_watch.h"
#include "nodes/daemon/side_threads.h"

namespace bt::nodes {

class FinishedContent {
 public:
  static constexpr Duration kLookPeriod = Seconds(2);    // what an edit may go unnoticed for
  static constexpr Duration kClosedAfter = Seconds(10);  // without a reader no descriptor is kept

  // `path`: of the file, or of a tree's directory. `side` outlives it. What is there now is what was proven.
  FinishedContent(net::Loop& loop, SideThreads& side, std::string path, swarm::OpenFile content);
  FinishedContent(const FinishedContent&) = delete;
  FinishedContent& operator=(const FinishedContent&) = delete;

  const swarm::OpenFile& content() const { return content_; }
  // Not ok once it was changed, or cannot be read: that stays so.
  const absl::Status& status() const { return status_; }
  // As HostedTransfer::Readable. Length 0: a look is under way, or status() is not ok.
  net::FileRange Readable(uint64_t offset, uint64_t most);

 private:
  struct Looked {
    absl::Status status;
    std::shared_ptr<ContentFile> file;
  };
  static Looked Look(ContentWatch& watch, const FilePlace& place, const swarm::OpenFile& content,
                     std::shared_ptr<ContentFile> file);
  void BeginLook();
  void OnLooked(Looked looked);

  net::Loop& loop_;
  SideThreads& side_;
  const FilePlace place_;
  const swarm::OpenFile content_;
  absl::Status status_;
  std::shared_ptr<ContentWatch> watch_;  // nullptr: it is being made; one job at a time has it
  std::shared_ptr<ContentFile> file_;    // while it is read
  bool looking_ = false;
  Instant looked_;
  net::Timer close_;
  net::Later later_;
};

}  // namespace bt::nodes
