#include "sim/scenarios/knobs.h"

namespace bt::sim {
namespace {

uint32_t Between(RandomStream& rng, uint32_t low, uint32_t high) {
  return static_cast<uint32_t>(rng.Between(low, high));
}

}  // namespace

std::optional<TrackerKnobs> DrawTrackerKnobs(RandomStream& rng, uint32_t users, uint32_t contents,
                                             uint32_t names) {
  if (!rng.Chance(1, 2)) return std::nullopt;
  constexpr Duration kOldestCopy = Seconds(25);
  TrackerKnobs knobs;
  tracker::Limits& limits = knobs.limits;
  limits.renew_interval = Seconds(1);
  limits.claim_lifetime = Milliseconds(static_cast<int64_t>(rng.Between(1'000, 20'000)));
  if (rng.Chance(1, 2)) {
    limits.session_eviction_age = kOldestCopy + Seconds(static_cast<int64_t>(rng.Below(6)));
    limits.session_lifetime = limits.session_eviction_age + Seconds(static_cast<int64_t>(rng.Below(10)));
    limits.sessions = Between(rng, 3 * users, 8 * users);
    knobs.churn_percent = rng.Chance(1, 2) ? Between(rng, 1, 10) : 0;
  }
  if (rng.Chance(1, 4)) {
    knobs.claims_run_full = true;
    limits.claim_lifetime = Milliseconds(static_cast<int64_t>(rng.Between(1'000, 3'000)));
    limits.claims = Between(rng, 3, 20);
    limits.claims_per_content = Between(rng, 1, 6);
  }
  if (rng.Chance(1, 2)) limits.claims_per_command = Between(rng, 1, 4);
  if (rng.Chance(1, 2)) limits.expiries_per_command = Between(rng, 1, 4);
  if (rng.Chance(1, 2)) limits.expiries_per_tick = Between(rng, 4, 16);
  if (rng.Chance(1, 4)) limits.torrents = Between(rng, 1, 6);
  if (rng.Chance(1, 4)) limits.names_per_content = Between(rng, 1, 3);
  if (rng.Chance(1, 4)) limits.info_hashes_per_content = Between(rng, 4, 12);
  if (!knobs.claims_run_full && rng.Chance(1, 2)) {
    knobs.greedy = Between(rng, 1, 2);
    limits.source_claims_per_content = Between(rng, 2, 6);
    limits.source_claims = 2 * contents + Between(rng, 0, 6);
    limits.source_names = names + Between(rng, 0, 4);
  }
  return knobs;
}

}  // namespace bt::sim
