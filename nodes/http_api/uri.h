#pragma once

// The percent-encoded half of HTTP: a request target taken apart into decoded path segments and query
// fields, and the encoding the other way (RFC 3986; either case of hex digits, unescaped parentheses,
// '+' left alone in paths and a space in queries).
// Invariant: at most kQueryFieldLimit fields are kept; hostile targets are refused, never cut silently.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bt::nodes {

inline constexpr size_t kQueryFieldLimit = 256;
inline constexpr size_t kPathSegmentLimit = 16;

struct Target {
  std::vector<std::string> path;                           // decoded; "/" is no segment at all
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order

  // The first field of that name.
  const std::string* Find(std::string_view name) const;
};

// nullopt for a bad escape or over a limit. Takes the absolute form (http://host/path) too.
std::optional<Target> ParseTarget(std::string_view target);

// nullopt when a '%' is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space);
// Everything but unreserved characters is escaped.
std::string PercentEncode(std::string_view bytes);

}  // namespace bt::nodes
