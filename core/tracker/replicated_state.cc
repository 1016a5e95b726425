#include "core/tracker/replicated_state.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/version.h"
#include "core/tracker/state_builder.h"

namespace bt::tracker {

namespace {

// Why a program of these levels must not go on behind the command; empty: it may.
std::string Unreadable(const absl::StatusOr<Command>& command, const LevelRange& levels) {
  if (absl::IsUnimplemented(command.status())) {
    return absl::StrCat(command.status().message(), " (", kVersion, ", which reads ", LevelsText(levels),
                        "): start the release that ran here before, or a newer one; nothing was changed");
  }
  if (!command.ok()) return {};  // no command at all
  const auto* raise = std::get_if<RaiseLevel>(&command->operation);
  const uint32_t level = std::max(LevelOf(command->operation), raise == nullptr ? kFirstLevel : raise->to);
  return LevelProblem(level, {kFirstLevel, levels.newest}).value_or("");
}

}  // namespace

// Whatever is decided here is decided on every node at the same slot, so it rests on the log alone: on the
// command, on the batch's stamp and on what earlier slots have left. A command that this release cannot read
// stops the node before it has changed anything, commands_ included: a later release finds the state of the
// slot before. Sessions expire before the command is looked for among them, on all nodes by the same stamp. A
// mutation of a known id is answered with what it was answered first and does nothing: that makes a repeated
// request, or one that two leaders have put into the log, take effect once (Ongaro, "Consensus: Bridging
// Theory and Practice", 6.3).
CommandResult ReplicatedState::Apply(Instant stamp, const Slice& bytes, const LevelRange& levels) {
  CommandResult applied;
  const absl::StatusOr<Command> command = DecodeCommand(bytes);
  applied.unreadable = Unreadable(command, levels);
  if (!applied.unreadable.empty()) return applied;
  ++commands_;
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
  applied.response = registry_.Apply(stamp, command->operation, command->source);
  if (once) sessions_.Record(command->id, command->source, applied.response);
  return applied;
}

Peaks ReplicatedState::peaks() const {
  Peaks all = registry_.peaks();
  all.Note(Held::kSessions, sessions_.most().value());
  all.Note(before_);
  return all;
}

std::vector<tracker_api::Alarm> ReplicatedState::Alarms() const {
  std::vector<tracker_api::Alarm> alarms = registry_.Alarms();
  sessions_.AddAlarms(registry_.limits(), alarms);
  return alarms;
}

uint64_t ReplicatedState::Digest() const {
  RollingDigest digest;
  digest.Add(registry_.digest(), sessions_.digest(), static_cast<uint64_t>(registry_.log_time().ns),
             static_cast<uint64_t>(sessions_.state().log_time.ns));
  return digest.value();
}

void ReplicatedState::BeginWalk() {
  CHECK(!walking());
  walk_.emplace(registry_.mutable_state(), sessions_.mutable_state(), commands_, Digest());
}

std::string ReplicatedState::NextPiece(size_t bytes) {
  CHECK(walking());
  std::string piece = walk_->Next(bytes, registry_.mutable_state(), sessions_.mutable_state());
  if (walk_->done()) walk_.reset();
  return piece;
}

void ReplicatedState::AbandonWalk() {
  StateWalk::Abandon(registry_.mutable_state(), sessions_.mutable_state());
  walk_.reset();
}

std::string ReplicatedState::Encode() const {
  ReplicatedState copy(registry_, sessions_, commands_);
  copy.BeginWalk();
  return copy.NextPiece(std::numeric_limits<size_t>::max());
}

absl::StatusOr<ReplicatedState> ReplicatedState::Decode(const Slice& bytes) {
  StateBuilder builder;
  if (absl::Status status = builder.Add(bytes); !status.ok()) return status;
  return std::move(builder).Finish();
}

void ReplicatedState::CheckInvariants() const {
  registry_.CheckInvariants();
  sessions_.CheckInvariants();
}

}  // namespace bt::tracker
