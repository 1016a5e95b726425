#include "nodes/daemon/seed_limits.h"

#include <cmath>

namespace bt::nodes {

SeedLimits SeedLimits::Or(const SeedLimits& other) const {
  return {seconds ? seconds : other.seconds, permille ? permille : other.permille};
}

bool SeedLimits::Reached(uint64_t offered_seconds, uint64_t sent, uint64_t length) const {
  const bool time = seconds.value_or(0) != 0 && offered_seconds >= *seconds;
  return time || (permille.value_or(0) != 0 && length > 0 && RatioPermille(sent, length) >= *permille);
}

// No length and no number of sent bytes comes near 2^54.
uint64_t RatioPermille(uint64_t sent, uint64_t length) { return length == 0 ? 0 : sent * 1000 / length; }

void WriteSeedLimits(const SeedLimits& limits, Json& json) {
  if (limits.seconds) json["seed_time"] = *limits.seconds;
  if (limits.permille) json["seed_ratio"] = *limits.permille / 1000.0;
}

absl::Status ReadSeedLimit(std::string_view field, const Json& value, SeedLimits& limits) {
  if (field == "seed_time") {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > kSeedSecondsMax) {
      return absl::InvalidArgumentError("seed_time: is no number of seconds, or too large");
    }
    limits.seconds = static_cast<uint32_t>(value.get<uint64_t>());
    return absl::OkStatus();
  }
  if (field != "seed_ratio") return absl::InvalidArgumentError("it is no limit of seeding");
  const double ratio = value.is_number() ? value.get<double>() : -1;
  if (!(ratio >= 0 && ratio <= kSeedRatioMax / 1000)) {
    return absl::InvalidArgumentError("seed_ratio: is no number from 0 to 1000");
  }
  limits.permille = static_cast<uint32_t>(std::llround(ratio * 1000));
  return absl::OkStatus();
}

}  // namespace bt::nodes
