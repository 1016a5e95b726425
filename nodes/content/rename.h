#pragma once

// Giving a finished download its name without taking it from anything.

#include <string>

namespace bt::nodes {

// Gives `from`, below one open directory (or AT_FDCWD), the name `to` below another of the same file system.
// 0, or errno: EEXIST if the name is taken, by more than an empty directory where `from` is one. Blocks.
int RenameWithoutReplacing(int from_directory, const std::string& from, int to_directory,
                           const std::string& to);

}  // namespace bt::nodes
