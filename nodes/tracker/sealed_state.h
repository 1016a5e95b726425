#pragma once

// What the files of a data directory beside the journal look like: a line "bytetorrent-KIND 1 DIGITS", the
// digits the xxh3-64 of what follows, and a body. Damage anywhere in the file is noticed.

#include <optional>
#include <string>
#include <string_view>

namespace bt::nodes {

std::string SealState(std::string_view kind, std::string_view body);
// The body of a whole, undamaged file of that kind.
std::optional<std::string> OpenState(std::string_view kind, std::string_view text);

}  // namespace bt::nodes
