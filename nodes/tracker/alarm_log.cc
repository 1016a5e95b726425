#include "nodes/tracker/alarm_log.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace bt::nodes {

std::vector<std::string> AlarmLog::Lines(const std::vector<tracker_api::Alarm>& alarms, Instant now) {
  std::vector<std::string> lines;
  absl::btree_map<std::string, Instant> before = std::exchange(told_, {});
  for (const tracker_api::Alarm& alarm : alarms) {
    const auto found = before.find(alarm.name);
    const bool tell = found == before.end() || found->second + kAlarmToldAgain <= now;
    if (tell) lines.push_back(absl::StrCat("alarm: ", alarm.text));
    told_[alarm.name] = tell ? now : found->second;
    if (found != before.end()) before.erase(found);
  }
  for (const auto& [name, told] : before) lines.push_back(absl::StrCat("over: the alarm about ", name));
  return lines;
}

}  // namespace bt::nodes
