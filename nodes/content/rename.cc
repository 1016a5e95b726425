#include "nodes/content/rename.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace bt::nodes {

int RenameWithoutReplacing(int from_directory, const std::string& from, int to_directory,
                           const std::string& to) {
  if (renameat2(from_directory, from.c_str(), to_directory, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // File systems without the flag.
  struct stat info {};
  if (fstatat(from_directory, from.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (S_ISDIR(info.st_mode)) {
    // Replaces at most an empty directory.
    if (fstatat(to_directory, to.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return renameat(from_directory, from.c_str(), to_directory, to.c_str()) == 0 ? 0 : errno;
  }
  // A hard link fails just so when the name is taken.
  if (linkat(from_directory, from.c_str(), to_directory, to.c_str(), 0) != 0) return errno;
  unlinkat(from_directory, from.c_str(), 0);
  return 0;
}

}  // namespace bt::nodes
