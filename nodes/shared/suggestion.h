#pragma once

// What somebody may have meant who mistyped a word.

#include <string>
#include <string_view>
#include <vector>

namespace bt::nodes {

// How many letters have to be put in, left out, replaced or swapped with their neighbour to make one word of
// the other: the optimal string alignment distance. Both words at most 64 bytes long; a longer one counts as
// 64 away from everything.
size_t EditDistance(std::string_view one, std::string_view other);

// The nearest of `known` that is at most two letters, and less than half its own length, away; empty if there
// is none.
std::string Suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace bt::nodes
