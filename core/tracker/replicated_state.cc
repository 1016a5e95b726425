#include "core/tracker/replicated_state.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::tracker {

namespace {

constexpr uint64_t kFormatVersion = 1;

}  // namespace

CommandResult ReplicatedState::Apply(Instant stamp, const Slice& bytes) {
  ++commands_;
  CommandResult applied;
  const absl::StatusOr<Command> command = DecodeCommand(bytes);
  if (!command.ok()) {
    applied.well_formed = false;
    applied.response =
        tracker_api::Refuse(tracker_api::Outcome::kInvalid, std::string(command.status().message()));
    return applied;
  }
  applied.id = command->id;
  sessions_.AdvanceTo(stamp, registry_.limits());
  const bool once = command->id.session.value() != 0;
  if (once) {
    if (auto known = sessions_.Known(command->id, registry_.limits())) {
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
  digest.Add(registry_.digest(), sessions_.digest(), static_cast<uint64_t>(registry_.log_time().ns),
             static_cast<uint64_t>(sessions_.state().log_time.ns));
  return digest.value();
}

std::string ReplicatedState::Encode() const {
  std::string out;
  Encoder encoder(out);
  encoder.Put(kFormatVersion);
  encoder.Put(registry_.state());
  encoder.Put(sessions_.state());
  encoder.Put(commands_);
  encoder.Put(Digest());
  return out;
}

absl::StatusOr<ReplicatedState> ReplicatedState::Decode(const Slice& bytes) {
  Decoder decoder(bytes);
  uint64_t version = 0;
  decoder("version", version);
  if (decoder.ok() && version != kFormatVersion) {
    return absl::DataLossError(
        absl::StrCat("the tracker's state has format ", version, "; this release reads ", kFormatVersion));
  }
  RegistryState registry_state;
  SessionsState sessions_state;
  ReplicatedState state;
  uint64_t digest = 0;
  decoder("registry", registry_state);
  decoder("sessions", sessions_state);
  decoder("commands", state.commands_);
  decoder("digest", digest);
  if (!decoder.ok()) return absl::DataLossError(decoder.status().message());
  if (decoder.remaining() != 0) return absl::DataLossError("bytes left over after the tracker's state");

  absl::StatusOr<Registry> registry = Registry::Restore(std::move(registry_state));
  if (!registry.ok()) return registry.status();
  absl::StatusOr<Sessions> sessions = Sessions::Restore(std::move(sessions_state));
  if (!sessions.ok()) return sessions.status();
  state.registry_ = *std::move(registry);
  state.sessions_ = *std::move(sessions);
  if (state.Digest() != digest) return absl::DataLossError("the tracker's state does not have its digest");
  return state;
}

void ReplicatedState::CheckInvariants() const {
  registry_.CheckInvariants();
  sessions_.CheckInvariants();
}

}  // namespace bt::tracker
