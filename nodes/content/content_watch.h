#pragma once

// ContentWatch: whether an offered file, or a file of an offered tree, is still as it was when last looked
// at: inode, length, time of modification. Blocks on the disk; one look at a time.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/swarm/file_effects.h"

namespace bt::nodes {

class ContentWatch {
 public:
  // What of the content may be other bytes now.
  struct Change {
    uint64_t offset = 0;
    uint64_t length = 0;
  };

  // Of what is at `path` now, and selected.
  ContentWatch(std::string path, uint64_t length, const std::vector<swarm::FilePart>& parts);

  // nullopt: nothing has changed since the last look.
  std::optional<Change> Look();

 private:
  struct Watched {
    std::string path;
    uint64_t offset = 0;
    uint64_t length = 0;
    uint64_t inode = 0;  // 0: there is no file
    uint64_t size = 0;
    int64_t modified_ns = 0;
  };
  static bool Update(Watched& file);

  std::vector<Watched> files_;
};

}  // namespace bt::nodes
