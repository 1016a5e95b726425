#include "core/tracker/replicated_state.h"

#include <utility>

namespace bt::tracker {

CommandResult ReplicatedState::Apply(Instant stamp, const Slice& bytes) {
  ++commands_;
  CommandResult applied;
  const absl::StatusOr<Command> command = DecodeCommand(bytes);
  if (!command.ok()) {
    applied.well_formed = false;
    applied.response = Refuse(tracker_api::Outcome::kInvalid, std::string(command.status().message()));
    return applied;
  }
  applied.id = command->id;
  sessions_.AdvanceTo(stamp);
  const bool once = command->id.session.value() != 0;
  if (once) {
    if (auto known = sessions_.Known(command->id)) {
      applied.response = *std::move(known);
      return applied;
    }
  }
  applied.response = registry_.Apply(stamp, command->operation);
  if (once) sessions_.Record(command->id, applied.response);
  return applied;
}

uint64_t ReplicatedState::Digest() const {
  RollingDigest digest;
  digest.Add(registry_.digest());
  digest.Add(sessions_.digest());
  digest.Add(static_cast<uint64_t>(registry_.log_time().ns));
  return digest.value();
}

void ReplicatedState::CheckInvariants() const {
  registry_.CheckInvariants();
  sessions_.CheckInvariants();
}

}  // namespace bt::tracker
