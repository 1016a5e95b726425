#pragma once

// Invalid: kInvalidArgument with a sentence put together of its parts. For the readers and checks of
// torrents.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace bt {

template <class... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

}  // namespace bt
