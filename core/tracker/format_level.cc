#include "core/tracker/format_level.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>

#include "core/base/version.h"

namespace bt::tracker {

namespace {

template <size_t... I>
uint32_t LevelOfNumber(uint8_t number, std::index_sequence<I...>) {
  uint32_t level = kNewestLevel + 1;
  (void)((number == I && (level = LevelOfKind<std::variant_alternative_t<I, Operation>>(), true)) || ...);
  return level;
}

}  // namespace

uint32_t LevelOfOperation(uint8_t number) {
  if (number == kRegisterTreeNumber) return kTreeLevel;
  return LevelOfNumber(number, std::make_index_sequence<std::variant_size_v<Operation>>());
}

std::string LevelsText(const LevelRange& range) {
  return range.oldest == range.newest ? absl::StrCat("format level ", range.newest)
                                      : absl::StrCat("format levels ", range.oldest, " to ", range.newest);
}

std::optional<std::string> LevelProblem(uint32_t level, const LevelRange& range) {
  if (level > range.newest) {
    return absl::StrCat("it is of format level ", level, ", and this program (", kVersion, ") reads ",
                        LevelsText(range),
                        ": start the release that ran here before, or a newer one; nothing was changed");
  }
  if (level < range.oldest) {
    return absl::StrCat("it is of format level ", level, ", and this program (", kVersion, ") reads ",
                        LevelsText(range),
                        ": start the release that ran here before, upgrade all nodes to one between the two "
                        "first, and wait until `bytetorrent cluster level` says ",
                        range.oldest, "; nothing was changed");
  }
  return std::nullopt;
}

std::string NotInForceYet(uint32_t needed, uint32_t in_force) {
  return absl::StrCat(
      "this needs format level ", needed, ", and the cluster is at ", in_force,
      ": not all of its nodes read that yet; it rises by itself when the last one is upgraded");
}

}  // namespace bt::tracker
