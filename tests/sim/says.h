#pragma once

// Says: what the tests of judges ask of a world.

#include <string_view>

#include "sim/world.h"

namespace bt::sim {

// A judge has spoken, and used this word.
inline bool Says(const World& world, std::string_view word) {
  return world.failure().has_value() && world.failure()->find(word) != std::string::npos;
}

}  // namespace bt::sim
