#pragma once

// Where in a content the file lies that a reader names. Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string_view>

#include "core/swarm/file_effects.h"

namespace bt::nodes {

struct DataPlace {
  uint64_t offset = 0;  // in the content
  uint64_t length = 0;
};

// `path`: of a tree the file's below its directory; of a single file its name, or nothing.
// kInvalidArgument: a tree, and no file of it is named. kNotFound: there is no such file.
// kFailedPrecondition: it is not selected.
absl::StatusOr<DataPlace> FindData(const swarm::OpenFile& content, std::string_view path);

}  // namespace bt::nodes
