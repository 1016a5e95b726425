#pragma once

// ListingJudge: one walk through the paged listing with linearizable pages. Names are bound for ever, so a
// walk shows each name that was bound before it began, exactly once, in order; of names bound meanwhile it
// may show any. Each page holds at most what was asked for. The client's workload is its user.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>

#include "core/tracker_api/answers.h"
#include "sim/check/registry_history.h"
#include "sim/world.h"

namespace bt::sim {

class ListingJudge {
 public:
  // Of the bindings known when the walk begins.
  ListingJudge(World& world, const RegistryHistory& history) : world_(world), missing_(history.bindings()) {}

  // The page after `after()`, and what content each of its names means. False: the walk is over.
  bool Page(const tracker_api::Listing& page, uint32_t limit);
  const std::string& after() const { return after_; }

 private:
  World& world_;
  absl::btree_map<std::string, ContentNumber> missing_;
  std::string after_;
};

}  // namespace bt::sim
