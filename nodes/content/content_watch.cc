#include "nodes/content/content_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace bt::nodes {

ContentWatch::ContentWatch(std::string path, uint64_t length, const std::vector<swarm::FilePart>& parts) {
  if (parts.empty()) files_.push_back({path, 0, length});
  for (const swarm::FilePart& part : parts) {
    if (part.selected) files_.push_back({path + "/" + part.path, part.offset, part.length});
  }
  for (Watched& file : files_) Update(file);
}

// True if it is not as it was.
bool ContentWatch::Update(Watched& file) {
  Watched now{file.path, file.offset, file.length};
  struct stat info {};
  if (stat(file.path.c_str(), &info) == 0) {
    now.inode = info.st_ino;
    now.size = static_cast<uint64_t>(info.st_size);
    now.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  }
  const bool changed =
      now.inode != file.inode || now.size != file.size || now.modified_ns != file.modified_ns;
  file = std::move(now);
  return changed;
}

std::optional<ContentWatch::Change> ContentWatch::Look() {
  uint64_t begin = UINT64_MAX;
  uint64_t end = 0;
  for (Watched& file : files_) {
    if (!Update(file) || file.length == 0) continue;
    begin = std::min(begin, file.offset);
    end = std::max(end, file.offset + file.length);
  }
  if (begin >= end) return std::nullopt;
  return Change{begin, end - begin};
}

}  // namespace bt::nodes
