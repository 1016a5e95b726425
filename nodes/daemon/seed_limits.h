#pragma once

// SeedLimits: how much a transfer that is whole gives before it ends by itself. Pure.

#include <absl/status/status.h>

#include <cstdint>
#include <optional>

#include "nodes/shared/json_text.h"

namespace bt::nodes {

inline constexpr uint32_t kSeedSecondsMax = 10 * 365 * 86400;
inline constexpr uint32_t kSeedRatioMax = 1'000'000;  // thousandths

struct SeedLimits {
  std::optional<uint32_t> seconds;   // of offering; 0: no limit; nullopt: nothing is said
  std::optional<uint32_t> permille;  // bytes given, in thousandths of the content's length; likewise

  bool given() const { return seconds || permille; }
  // What is not said here is as `other` has it.
  SeedLimits Or(const SeedLimits& other) const;
  // `offered_seconds` of offering and `sent` bytes of a content of `length` bytes reach one of them.
  bool Reached(uint64_t offered_seconds, uint64_t sent, uint64_t length) const;

  friend bool operator==(const SeedLimits&, const SeedLimits&) = default;
};

// `sent` in thousandths of `length`, 0 of no length.
uint64_t RatioPermille(uint64_t sent, uint64_t length);

// As the fields seed_time (seconds) and seed_ratio (a number, 1.5), which are left out when not said.
void WriteSeedLimits(const SeedLimits& limits, Json& json);
// Puts one of these fields into `limits`. kInvalidArgument: it is neither, or no number that it may be.
absl::Status ReadSeedLimit(std::string_view field, const Json& value, SeedLimits& limits);

}  // namespace bt::nodes
