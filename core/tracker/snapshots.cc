#include "core/tracker/snapshots.h"

#include <algorithm>
#include <utility>

namespace bt::tracker {

void Snapshots::StartFrom(uint64_t bytes) {
  log_bytes_ = 0;
  saved_bytes_ = bytes;
}

void Snapshots::OnApplied(const paxos::Decided& entry) {
  constexpr uint64_t kRecordBytes = 64;  // about as much as a record costs beside its commands
  log_bytes_ += kRecordBytes;
  for (const Slice& command : entry.batch.commands) log_bytes_ += command.size();
  applied_ = {entry.slot, entry.batch.stamp};
}

void Snapshots::Poll(ReplicatedState& state, const ReplicaPort& port, Context<Protocol>& context) {
  if (state.walking() || !IsTime(port, context.now)) return;
  state.BeginWalk();
  saving_ = applied_;
  StartFrom(0);
  context.out.Arm(Protocol::Timer::kSnapshot, context.now);
}

bool Snapshots::IsTime(const ReplicaPort& port, Instant now) const {
  const uint64_t due = std::max(config_.snapshot_log_bytes, saved_bytes_);
  if (asked_.empty() && log_bytes_ < due) return false;
  // The last one is on its way to the disk, and what it does not hold is asked for when it is there.
  if (port.machine().saving()) return false;
  if (!port.machine().may_save(applied_.slot)) return false;
  // A peer that reads the last one would have to begin again; but the log must not grow for ever.
  return log_bytes_ / 2 >= due || !port.machine().snapshot_in_use(now);
}

// The walk gives the state as it was at saving_, however much was applied since (state_walk.h), so the
// snapshot is that of one slot, as the replica is told. One piece waits for the disk at a time, so that a
// slow disk is not given a snapshot in front of the log's own records.
void Snapshots::OnTimer(ReplicatedState& state, ReplicaPort& port, Context<Protocol>& context) {
  if (!state.walking()) return;
  if (!port.machine().saving()) {
    Slice piece = Slice::Own(state.NextPiece(config_.snapshot_piece_bytes));
    saved_bytes_ += piece.size();
    const bool last = !state.walking();
    port.Call(CallId(0), paxos::SaveSnapshot{saving_.slot, saving_.stamp, std::move(piece), last}, context);
  }
  if (state.walking()) context.out.Arm(Protocol::Timer::kSnapshot, context.now + config_.snapshot_pause);
}

void Snapshots::Ask(CallId call, Slot slot, Context<Protocol>& context) {
  if (asked_.size() < config_.snapshots_asked_max) {
    asked_.push_back({call, slot, context.now + config_.snapshot_deadline});
    return most_asked_.Note(asked_.size());
  }
  context.out.Reply(call, tracker_api::Unavailable("too many snapshots are asked for at this node"));
}

void Snapshots::AnswerDurable(Slot durable, Context<Protocol>& context) {
  std::erase_if(asked_, [&](const Asked& asked) {
    if (asked.slot > durable) return false;
    context.out.Reply(asked.call, tracker_api::Response());
    return true;
  });
}

void Snapshots::AnswerOverdue(Context<Protocol>& context) {
  std::erase_if(asked_, [&](const Asked& asked) {
    if (asked.deadline > context.now) return false;
    context.out.Reply(asked.call, tracker_api::Unavailable(
                                      "the snapshot could not be written in time: the disk is too slow, or a "
                                      "node that was away is reading the last one; ask again"));
    return true;
  });
}

void Snapshots::Cancel(CallId call) {
  std::erase_if(asked_, [&](const Asked& asked) { return asked.call == call; });
}

}  // namespace bt::tracker
