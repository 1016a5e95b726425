#include "nodes/tracker/sealed_state.h"

#include <absl/strings/str_cat.h>

#include "core/base/digest.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

std::string SealState(std::string_view kind, std::string_view body) {
  return absl::StrCat("bytetorrent-", Absl(kind), " 1 ", absl::Hex(HashBytes(body), absl::kZeroPad16), "\n",
                      Absl(body));
}

std::optional<std::string> OpenState(std::string_view kind, std::string_view text) {
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return std::nullopt;
  std::string body(text.substr(line + 1));
  if (SealState(kind, body) != text) return std::nullopt;
  return body;
}

}  // namespace bt::nodes
