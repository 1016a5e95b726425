#pragma once

// A tracker node's recording (core/machine/recording.h): what its head says, and the node that it was.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <memory>
#include <string_view>
#include <utility>

#include "core/base/fields.h"
#include "core/machine/recording.h"
#include "core/tracker/config.h"
#include "core/tracker/node.h"

namespace bt::tracker {

inline constexpr std::string_view kRecordedAs = "tracker";

// kInvalidArgument: the recording is of another machine, or was made by a release whose configuration is
// another.
inline absl::StatusOr<std::unique_ptr<TrackerNode>> RecordedNode(const RecordingHead& head) {
  if (head.machine != kRecordedAs) {
    return absl::InvalidArgumentError(absl::StrCat("it is of a machine named \"", head.machine, "\""));
  }
  absl::StatusOr<Config> config = Decode<Config>(head.config);
  if (!config.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("release ", head.program,
                     " has made it, whose configuration is another: ", config.status().message()));
  }
  return std::make_unique<TrackerNode>(*std::move(config));
}

}  // namespace bt::tracker
