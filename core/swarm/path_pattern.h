#pragma once

// How a person names files of a tree: by a path, or by a pattern of paths. Pure text; the selection of a
// download is the user.

#include <string>
#include <string_view>
#include <vector>

#include "core/torrent/file_tree.h"

namespace bt::swarm {

// Whether `pattern` means the file at `path` (/ between its parts), or a directory that it is in. `?` stands
// for one byte and `*` for any number of them, but for no /; `**` stands for any bytes, and `**/` for any
// number of directories, also none. A / at the end of the pattern does not count. Takes time in proportion to
// the product of both lengths.
bool PatternMeans(std::string_view pattern, std::string_view path);

// Whether `pattern` is the path itself, letter by letter, or that of a directory it is in.
bool PatternNames(std::string_view pattern, std::string_view path);

// At most `count` paths of the tree that somebody who wrote `pattern` may have meant, the nearest first:
// those that share most pairs of neighbouring letters with it, in either case.
std::vector<std::string> NearPaths(std::string_view pattern, const FileTree& tree, size_t count);

}  // namespace bt::swarm
