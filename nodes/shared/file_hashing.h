#pragma once

// Hashing a whole file into a Metainfo, on two threads when it is large: pieces do not depend on each other.

#include <absl/status/statusor.h>

#include <string>

#include "core/torrent/metainfo.h"
#include "nodes/shared/files.h"

namespace bt::nodes {

// `path` is for messages. kAborted when the file changes while it is read. The length and piece length must
// be of a valid metainfo.
absl::StatusOr<Metainfo> HashFile(const InputFile& file, const std::string& path, const std::string& name,
                                  uint32_t piece_length);

}  // namespace bt::nodes
