#pragma once

// AlarmLog: alarms as lines for the operator: one when an alarm begins, one when it is over, and one a minute
// while it lasts. Pure; loop thread only.

#include <absl/container/btree_map.h>

#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::nodes {

inline constexpr Duration kAlarmToldAgain = Seconds(60);

class AlarmLog {
 public:
  // The lines to log now that these alarms are up.
  std::vector<std::string> Lines(const std::vector<tracker_api::Alarm>& alarms, Instant now);

 private:
  absl::btree_map<std::string, Instant> told_;  // by name: when, last
};

}  // namespace bt::nodes
