#include "sim/scenarios/swarm_knobs.h"

#include <algorithm>

namespace bt::sim {
namespace {

Duration Draw(RandomStream& rng, int64_t low_ms, Duration high) {
  return rng.Between(Milliseconds(low_ms), high);
}

void DrawTiming(RandomStream& rng, swarm::Timing& timing) {
  timing.ask_timeout = Draw(rng, 500, timing.ask_timeout);
  timing.tracker_backoff_min = Draw(rng, 20, timing.tracker_backoff_min);
  timing.tracker_backoff_max = Draw(rng, 1'000, timing.tracker_backoff_max);
  timing.offer_gap = Draw(rng, 0, Milliseconds(1'000));
  timing.renew_interval = Draw(rng, 2'000, timing.renew_interval);
  timing.lookup_min = Draw(rng, 20, Milliseconds(500));
  timing.lookup_few_max = Draw(rng, 1'000, timing.lookup_few_max);
  timing.lookup_max = Draw(rng, 2'000, timing.lookup_max);
  timing.withdraw_limit = Draw(rng, 100, timing.withdraw_limit);
  timing.connect_timeout = Draw(rng, 4'000, timing.connect_timeout);
  timing.snub_after = Draw(rng, 2'000, timing.snub_after);
  timing.keepalive_after = Draw(rng, 3'000, timing.keepalive_after);
  // A peer is not cut off before its keep-alive could come.
  timing.idle_limit = std::min(timing.idle_limit, timing.keepalive_after * 3 + Seconds(5));
  timing.reconnect_min = Draw(rng, 100, timing.reconnect_min);
  timing.reconnect_max = Draw(rng, 1'000, timing.reconnect_max);
  timing.choke_interval = Draw(rng, 500, timing.choke_interval);
  timing.checkpoint_interval = Draw(rng, 50, timing.checkpoint_interval);
  timing.exclusive_limit = Draw(rng, 5'000, timing.exclusive_limit);
}

}  // namespace

swarm::Config DrawSwarmConfig(RandomStream& rng, uint32_t peers) {
  swarm::Config config;
  if (!rng.Chance(2, 3)) return config;
  if (rng.Chance(1, 2)) DrawTiming(rng, config.timing);
  swarm::Limits& limits = config.limits;
  if (rng.Chance(1, 2)) limits.told_addresses = static_cast<uint32_t>(rng.Between(peers, 4 * peers));
  if (rng.Chance(1, 2)) limits.bans = static_cast<uint32_t>(rng.Between(1, 4));
  if (rng.Chance(1, 2)) limits.waiting_requests = static_cast<uint32_t>(rng.Between(1, 64));
  if (rng.Chance(1, 2)) limits.bytes_in_flight = uint64_t{32 << 10} << rng.Below(11);
  if (rng.Chance(1, 2)) limits.link_queue_bytes = uint64_t{16 << 10} << rng.Below(7);
  if (rng.Chance(1, 2)) config.connection_limit = static_cast<uint32_t>(rng.Between(2 * peers, 100));
  if (rng.Chance(1, 2)) config.dial_limit = static_cast<uint32_t>(rng.Between(peers, 50));
  if (rng.Chance(1, 2)) config.upload_slots = static_cast<uint32_t>(rng.Between(1, 4));
  return config;
}

std::optional<tracker::Limits> DrawClaimLimits(RandomStream& rng) {
  if (!rng.Chance(1, 2)) return std::nullopt;
  tracker::Limits limits;
  limits.renew_interval = Seconds(static_cast<int64_t>(rng.Between(1, 5)));
  limits.claim_lifetime = limits.renew_interval * static_cast<int64_t>(rng.Between(3, 5)) + Seconds(5);
  return limits;
}

}  // namespace bt::sim
