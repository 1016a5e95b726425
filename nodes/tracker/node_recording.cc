#include "nodes/tracker/node_recording.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/fields.h"
#include "core/base/version.h"
#include "core/tracker/recorded.h"

namespace bt::nodes {
namespace {

// What a process that is killed loses of its recording.
constexpr Duration kFlushPause = Seconds(1);

absl::StatusOr<std::unique_ptr<net::RecordingFile>> Create(const TrackerFlags& flags,
                                                           const net::JournalRecovery& recovery) {
  const uint64_t limit = uint64_t{flags.record_limit_mib} << 20;
  uint64_t bytes = 0;
  for (const JournalRecord& record : recovery.records) bytes += record.body.size();
  if (bytes < limit) return net::RecordingFile::Create(flags.record, limit);
  return absl::ResourceExhaustedError(absl::StrCat("a recording begins with the journal, which has ",
                                                   (bytes >> 20) + 1, " MiB, and --record-limit is ",
                                                   flags.record_limit_mib));
}

}  // namespace

tracker::Config NodeConfig(NodeId self, const NodeState& state, const TrackerFlags& flags,
                           const LocalLimits& limits) {
  tracker::Config config;
  config.replica.self = self;
  config.replica.members = state.members;
  config.snapshot_log_bytes = uint64_t{flags.snapshot_after_mib} << 20;
  config.levels.newest = flags.newest_level;
  config.pending_bytes_max = limits.mutation_bytes;
  config.disk_reserve_bytes = uint64_t{flags.disk_reserve_mib} << 20;
  return config;
}

NodeRecording::NodeRecording(net::Loop& loop, const TrackerFlags& flags, const tracker::Config& config,
                             const net::JournalRecovery& recovery, std::function<void(std::string)> warn)
    : loop_(loop), warn_(std::move(warn)) {
  if (flags.record.empty()) return;
  absl::StatusOr<std::unique_ptr<net::RecordingFile>> file = Create(flags, recovery);
  if (!file.ok()) {
    warn_(absl::StrCat("nothing is recorded: ", file.status().message()));
    return;
  }
  file_ = *std::move(file);
  recorder_.emplace(RecordingHead{.program = std::string(kVersion),
                                  .machine = std::string(tracker::kRecordedAs),
                                  .config = Slice::Own(Encode(config)),
                                  .seed = seed_,
                                  .durable = recovery.last},
                    *file_);
  Flush();
}

void NodeRecording::Flush() {
  recorder_->Cut();
  if (recorder_->recording()) return flush_.Arm(loop_.now() + kFlushPause);
  warn_(absl::StrCat("the recording has ended: ", recorder_->ended_why()));
}

void NodeRecording::Finish(std::string why, uint64_t machine) {
  if (recorder_) recorder_->Finish(std::move(why), machine);
}

}  // namespace bt::nodes
