#include "nodes/shared/suggestion.h"

#include <algorithm>
#include <array>

namespace bt::nodes {
namespace {

constexpr size_t kWordMax = 64;
constexpr size_t kDistanceMax = 2;

}  // namespace

size_t EditDistance(std::string_view one, std::string_view other) {
  if (one.size() > kWordMax || other.size() > kWordMax) return kWordMax;
  // cost[i][j]: between the first i letters of one and the first j of the other.
  std::array<std::array<size_t, kWordMax + 1>, kWordMax + 1> cost;
  for (size_t i = 0; i <= one.size(); ++i) {
    for (size_t j = 0; j <= other.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t replaced = one[i - 1] == other[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + replaced});
      const bool swapped = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[one.size()][other.size()];
}

std::string Suggestion(std::string_view word, const std::vector<std::string>& known) {
  std::string nearest;
  size_t least = kDistanceMax + 1;
  for (const std::string& one : known) {
    const size_t distance = EditDistance(word, one);
    if (distance >= least || 2 * distance >= one.size()) continue;
    least = distance;
    nearest = one;
  }
  return nearest;
}

}  // namespace bt::nodes
