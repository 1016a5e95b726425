#include "core/tracker/limits.h"

#include <absl/strings/str_cat.h>

namespace bt::tracker {

std::optional<std::string> LimitsProblem(const Limits& limits) {
  // Far below what an Instant can hold, and longer than any claim or session has a use for.
  constexpr Duration kLifetimeMax = Seconds(366 * 24 * 3600);
  struct Lifetime {
    const char* name = "";
    Duration value;
    Duration least;
  };
  const Lifetime lifetimes[] = {
      {"claim_lifetime", limits.claim_lifetime, limits.renew_interval},
      {"renew_interval", limits.renew_interval, Seconds(1)},
      // A retry must find its session: it comes within the time for which a full table forgets nobody.
      {"session_lifetime", limits.session_lifetime, limits.session_eviction_age},
      {"session_eviction_age", limits.session_eviction_age, Seconds(1)},
  };
  for (const Lifetime& lifetime : lifetimes) {
    if (lifetime.value < lifetime.least || lifetime.value > kLifetimeMax) {
      return absl::StrCat(lifetime.name, " is ", lifetime.value.seconds(), " s; it must be between ",
                          lifetime.least.seconds(), " and ", kLifetimeMax.seconds(), " s");
    }
  }
  const std::pair<const char*, uint64_t> counts[] = {
      {"claims_per_command", limits.claims_per_command},
      {"expiries_per_command", limits.expiries_per_command},
      {"expiries_per_tick", limits.expiries_per_tick},
      {"sessions", limits.sessions},
      {"source_claims", limits.source_claims},
      {"source_claims_per_content", limits.source_claims_per_content},
      {"source_claim_bytes", limits.source_claim_bytes},
      {"source_names", limits.source_names},
      {"source_registered_bytes", limits.source_registered_bytes},
  };
  for (const auto& [name, value] : counts) {
    if (value == 0) return absl::StrCat(name, " is 0, and then nothing would ever be done");
  }
  return std::nullopt;
}

}  // namespace bt::tracker
