#pragma once

// JSON as the programs write it: members in the order they were given, all on one line, and never an
// exception, because bytes that are not UTF-8 are replaced. Whoever writes JSON writes it by this.

#include <nlohmann/json.hpp>
#include <string>

namespace bt::nodes {

using Json = nlohmann::ordered_json;

inline std::string JsonText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace bt::nodes
