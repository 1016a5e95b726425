#pragma once

// Directory: the port through which a journal reaches a disk. One operation is under way at a time: Begin
// hands it over, and whoever runs the directory gives its Completion to the one who began it, later and never
// from within Begin. A disk may therefore take any time for it, and a crash may come between any two of them.
// net/posix_directory is this over real files, sim/faulty_directory over a disk that loses and tears.
//
// What a crash leaves: bytes written since the file's last SyncFile may be there, in part, or not; a
// creation, rename or removal since the last SyncDirectory may have happened or not. SyncFile does not make
// the name of a file durable, SyncDirectory does not make its bytes durable.

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/slice.h"

namespace bt::wal {

struct ListFiles {};
struct ReadFile {
  std::string name;
  uint64_t bytes_max = UINT64_MAX;  // of the file's front
};
// An empty file; one of that name is emptied.
struct CreateFile {
  std::string name;
};
// All of `bytes`, or an error; a file that is shorter grows.
struct WriteFile {
  std::string name;
  uint64_t offset = 0;
  Slice bytes;
};
struct SyncFile {
  std::string name;
};
// Replaces a file that has the new name.
struct RenameFile {
  std::string from;
  std::string to;
};
struct RemoveFile {
  std::string name;
};
struct SyncDirectory {};
using Operation =
    std::variant<ListFiles, ReadFile, CreateFile, WriteFile, SyncFile, RenameFile, RemoveFile, SyncDirectory>;

struct Completion {
  absl::Status status;             // an error names the path and says what to do
  std::vector<std::string> names;  // of ListFiles, in any order
  Slice bytes;                     // of ReadFile
};

class Directory {
 public:
  virtual void Begin(Operation operation) = 0;

 protected:
  ~Directory() = default;
};

}  // namespace bt::wal
