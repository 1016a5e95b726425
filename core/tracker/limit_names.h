#pragma once

// The agreed limits as a table of names and whole numbers: how an operator sees and changes them. The names
// are those of Limits' members, with those of `metainfo` behind "metainfo.".

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/tracker/limits.h"

namespace bt::tracker {

struct NamedLimit {
  std::string name;
  std::string_view unit;  // "", "bytes" or "seconds"
  uint64_t value = 0;
};

// In the order of Limits.
std::vector<NamedLimit> NamedLimits(const Limits& limits);
// kInvalidArgument: there is no such limit, or it holds no such number. Whether a cluster could work under it
// is LimitsProblem's to say.
absl::Status SetNamedLimit(Limits& limits, std::string_view name, uint64_t value);

}  // namespace bt::tracker
