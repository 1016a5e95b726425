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
  if (state.walking() || log_bytes_ < std::max(config_.snapshot_log_bytes, saved_bytes_)) return;
  // A peer that reads the last one would have to begin again; but the log must not grow for ever.
  const bool wait = log_bytes_ / 2 < std::max(config_.snapshot_log_bytes, saved_bytes_);
  if (wait && port.machine().snapshot_in_use(context.now)) return;
  state.BeginWalk();
  saving_ = applied_;
  StartFrom(0);
  context.out.Arm(Protocol::Timer::kSnapshot, context.now);
}

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

}  // namespace bt::tracker
