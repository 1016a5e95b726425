#pragma once

// Limits and times of the replicated state. They are part of the agreement: every node of a cluster must
// run with the same values, or replicas would answer the same command differently.

#include <cstdint>

#include "core/base/time.h"

namespace bt::tracker {

inline constexpr Duration kClaimLifetime = Seconds(30 * 60);      // log time, from the last renewal
inline constexpr Duration kRenewInterval = Seconds(10 * 60);      // what announcing peers are told
inline constexpr Duration kYoungRenewInterval = Seconds(2 * 60);  // ... in a young or small swarm
inline constexpr Duration kYoungFor = Seconds(10 * 60);           // log time, from the registration
inline constexpr uint32_t kSmallSwarm = 20;                       // peers
inline constexpr Duration kSessionLifetime = Seconds(60 * 60);    // log time, from the last mutation
inline constexpr Duration kSessionEvictionAge = Seconds(60);      // a full table forgets none younger
inline constexpr uint32_t kExpiriesPerStep = 16;                  // claims or sessions dropped per command
inline constexpr uint32_t kExpiriesPerTick = 1024;
inline constexpr uint32_t kClaimsPerCommand = 2048;  // updates in one Claims command

struct Limits {
  uint32_t torrents = 262'144;
  uint32_t names_per_content = 64;
  uint32_t info_hashes_per_content = 320;  // four derived ones per name, and foreign ones
  uint32_t claims_per_content = 65'536;
  uint32_t claims = 2'097'152;
  uint64_t bytes = uint64_t{2} << 30;  // of metainfo and claims, as AccountedBytes counts them
  uint32_t sessions = 524'288;
};

}  // namespace bt::tracker
