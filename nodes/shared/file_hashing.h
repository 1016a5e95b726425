#pragma once

// Hashing a whole file into a Metainfo, on two threads when it is large: pieces do not depend on each other.

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "core/torrent/metainfo.h"
#include "nodes/shared/files.h"

namespace bt::nodes {

// kAborted when the file changes while it is read. The length and piece length must be of a valid metainfo.
absl::StatusOr<Metainfo> HashFile(const InputFile& file, const std::string& name, uint32_t piece_length);

// The files below a directory, as a tree has them: their paths in order, lengths, executable bits; no hashes
// yet. Directories without files are left out. kFailedPrecondition: a symbolic link, a device, too many
// files.
absl::StatusOr<std::vector<FileTree::File>> ListTree(const std::string& directory);

// Of `files`, which ListTree gave or a torrent names, at least one of them not empty.
absl::StatusOr<Metainfo> HashTree(const std::string& directory, const std::string& name,
                                  std::vector<FileTree::File> files, uint32_t piece_length);

}  // namespace bt::nodes
