#pragma once

// Format levels: what a release adds to the bytes that nodes keep and send each other, as one number on which
// the cluster agrees. The level in force is replicated state (RegistryState::level); RaiseLevel alone changes
// it, and a leader proposes that when every member has said that it reads the new level (level_watch.h).
// Until then no node writes anything of a newer level, so any member can still be run with the older release.
//
//   level 1   the formats of version 0.1: docs/formats.md
//   level 2   the command RaiseLevel itself, which a program of level 1 cannot read, and the item LevelItem
//             of snapshots (format 4 of the state), which says what level is in force; registrations of trees
//             (kRegisterTreeNumber) and their item TreeItem
//
// Whoever adds a kind of command, a field, a record, a snapshot's item or a message adds a row here and gives
// it its level below; a new field is a new kind, because the old one's bytes are read for ever. The golden
// bytes in tests/nodes/testdata hold what each level has.

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include "core/tracker/command.h"

namespace bt::tracker {

inline constexpr uint32_t kFirstLevel = 1;  // of a cluster whose log says nothing
inline constexpr uint32_t kNewestLevel = 2;
inline constexpr uint32_t kTreeLevel = 2;  // of registrations of trees

// What a program can read, both ends included.
struct LevelRange {
  uint32_t oldest = kFirstLevel;
  uint32_t newest = kNewestLevel;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("oldest", self.oldest);
    visit("newest", self.newest);
  }
  friend bool operator==(const LevelRange&, const LevelRange&) = default;
};

// The level that must be in force before an operation may be put into the log: by its kind, and by what it
// holds.
template <class T>
constexpr uint32_t LevelOfKind() {
  return std::is_same_v<T, RaiseLevel> ? 2 : kFirstLevel;
}
template <class T>
uint32_t LevelOf(const T& operation) {
  if constexpr (std::is_same_v<T, tracker_api::Register>) {
    if (!operation.metainfo.tree.empty()) return kTreeLevel;
  }
  return LevelOfKind<T>();
}
inline uint32_t LevelOf(const Operation& operation) {
  return std::visit([](const auto& one) { return LevelOf(one); }, operation);
}
// By its number among the kinds; of one that this program does not know: above all that it knows.
uint32_t LevelOfOperation(uint8_t number);

// Of the format that StateHead names (state_items.h).
inline constexpr uint64_t StateFormatOf(uint32_t level) { return level >= 2 ? 4 : 3; }
inline constexpr uint64_t kOldestStateFormat = 3;

// Why a program with this range cannot take part where `level` is in force, and what to do; nullopt: it can.
std::optional<std::string> LevelProblem(uint32_t level, const LevelRange& range);
// The answer to an operation whose level is not in force yet: for the caller, who can do nothing about it.
std::string NotInForceYet(uint32_t needed, uint32_t in_force);
std::string LevelsText(const LevelRange& range);

}  // namespace bt::tracker
