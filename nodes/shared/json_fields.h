#pragma once

// The fields of a JSON object that a program of ours has written, read leniently: what is absent or of
// another type is 0, no text, or false.

#include <cstdint>
#include <string>

#include "nodes/shared/json_text.h"

namespace bt::nodes {

inline uint64_t NumberIn(const Json& json, const char* field) {
  const auto found = json.find(field);
  return found != json.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}
inline std::string TextIn(const Json& json, const char* field) {
  const auto found = json.find(field);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}
inline bool FlagIn(const Json& json, const char* field) {
  const auto found = json.find(field);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace bt::nodes
