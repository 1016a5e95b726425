// A start of TrackerNode: what the journal held becomes the state, a slice a step. Calls are told meanwhile
// how far it is, and whoever has to end the process need not wait for it.

#include <absl/strings/str_cat.h>

#include <type_traits>
#include <utility>
#include <variant>

#include "core/base/version.h"
#include "core/paxos/journal.h"
#include "core/tracker/node.h"

namespace bt::tracker {

using tracker_api::Unavailable;
using Timer = Protocol::Timer;

namespace {

bool IsRecordType(uint8_t type) {
  return type >= static_cast<uint8_t>(paxos::RecordType::kPromised) &&
         type <= static_cast<uint8_t>(paxos::RecordType::kSnapshotPart);
}

}  // namespace

void TrackerNode::On(const Started& started, Ctx& context) {
  // The host's generator may start alike after a restart; the journal's end or the time does not.
  RollingDigest seed;
  seed.Add(config_.replica.self.value());
  seed.Add(context.rng.Next());
  seed.Add(static_cast<uint64_t>(context.now.ns));
  seed.Add(context.out.last_write().value());
  mutations_.Start(seed.value());
  seed.Add(context.rng.Next());
  reads_.Start(seed.value());
  orders_.Start(seed.value());
  listings_ = seed.value();
  bulk_.Start(seed.value(), context.out.last_write());
  shipments_.Start(seed.value());
  disk_.Start(context.out.last_write());
  for (const JournalRecord& record : started.records) {
    if (IsRecordType(record.type)) continue;
    return GiveUp(absl::StrCat("record ", record.seq.value(), " of the journal is of type ", record.type,
                               ", which this program (", kVersion,
                               ") does not know: start the release that ran here before, or a newer one; "
                               "nothing was changed"),
                  context);
  }
  paxos::Snapshot snapshot = paxos::FindSnapshot(started.records);
  if (snapshot.empty()) return Begin(started, {}, context);
  recovering_.emplace(Recovering{started, std::move(snapshot), StateBuilder(config_.levels), 0});
  context.out.Arm(Timer::kSnapshot, context.now);
}

bool TrackerNode::StepOfRecovery(const Input<Protocol>& input, Ctx& context) {
  if (!recovering()) return false;
  if (const auto* call = std::get_if<Call<Protocol>>(&input)) {
    if (std::holds_alternative<DiskRoom>(call->request)) {
      On(*call, context);
      return true;
    }
    work_.reads.Answer();
    context.out.Reply(call->id, Unavailable(tracker_api::RecoveringReason(percent_recovered())));
    return true;
  }
  if (!recovering_) return false;
  const auto* fired = std::get_if<TimerFired<Protocol>>(&input);
  if (fired != nullptr && fired->timer == Timer::kSnapshot) ReadOn(context);
  return recovering_ || unusable_;
}

void TrackerNode::GiveUp(std::string why, Ctx& context) {
  unusable_ = true;
  context.out.Note(Unusable{std::move(why)});
}

absl::StatusOr<bool> TrackerNode::ReadParts(const std::vector<Slice>& parts, size_t& parts_read,
                                            StateBuilder& builder) {
  while (parts_read < parts.size()) {
    if (!work_.apply.left()) return false;
    const Slice& part = parts[parts_read++];
    work_.apply.Command(part.size());
    if (absl::Status status = builder.Add(part); !status.ok()) return status;
  }
  return builder.Finish(work_.apply);
}

void TrackerNode::ReadOn(Ctx& context) {
  const std::vector<Slice>& parts = recovering_->snapshot.parts;
  const absl::StatusOr<bool> made = ReadParts(parts, recovering_->parts_read, recovering_->builder);
  if (made.ok() && !*made) return context.out.Arm(Timer::kSnapshot, context.now);
  Recovering read = *std::exchange(recovering_, std::nullopt);
  absl::StatusOr<ReplicatedState> state =
      made.ok() ? std::move(read.builder).Take() : absl::StatusOr<ReplicatedState>(made.status());
  if (!state.ok()) {
    return GiveUp(
        absl::StrCat("the snapshot in the journal cannot be used: ", state.status().message(),
                     absl::IsUnimplemented(state.status()) ? "" : "; start this node anew from its peers"),
        context);
  }
  if (auto problem = LevelProblem(state->registry().level(), config_.levels))
    return GiveUp(absl::StrCat("the snapshot: ", *problem), context);
  Restore(*std::move(state), read.snapshot, context);
  Begin(read.started, std::move(read.snapshot), context);
}

void TrackerNode::Begin(const Started& started, paxos::Snapshot snapshot, Ctx& context) {
  port_.emplace(config_.replica, std::move(snapshot));
  port_->Start(started, context);
  recovered_ = replica().chosen();
  if (applied_ > Slot(0)) NoteApplied(0, context);
}

// Callers' mutations that took effect within the snapshot are asked about again like any whose fate is
// unknown, and their sessions know the answer. While it is read, this replica may learn by other ways what it
// holds, or even lead: then it is of no use any more.
bool TrackerNode::InstallArrived(Ctx& context) {
  const paxos::Snapshot* arrived = replica().arrived();
  if (arrived == nullptr) {
    installing_.reset();
    return false;
  }
  if (replica().is_leader() || arrived->prefix.slot <= replica().chosen()) {
    installing_.reset();
    port_->Call(CallId(0), paxos::InstallSnapshot{false}, context);
    return true;
  }
  if (!installing_ || installing_->prefix != arrived->prefix)
    installing_ = Installing{arrived->prefix, StateBuilder(config_.levels), 0};
  const absl::StatusOr<bool> made = ReadParts(arrived->parts, installing_->parts_read, installing_->builder);
  if (made.ok() && !*made) return false;  // LeaveRest goes on
  Installing read = *std::exchange(installing_, std::nullopt);
  absl::StatusOr<ReplicatedState> state =
      made.ok() ? std::move(read.builder).Take() : absl::StatusOr<ReplicatedState>(made.status());
  if (absl::IsUnimplemented(state.status())) {
    GiveUp(absl::StrCat("the snapshot that this node was given: ", state.status().message()), context);
    return false;
  }
  if (state.ok()) Restore(*std::move(state), *arrived, context);
  if (!state.ok()) ++counters_.unreadable_snapshots;
  port_->Call(CallId(0), paxos::InstallSnapshot{state.ok()}, context);
  if (state.ok()) NoteApplied(0, context);
  return true;
}

// By bytes of the snapshot and then by slots of the log, as if each were half of the work.
uint32_t TrackerNode::percent_recovered() const {
  if (!recovering()) return 100;
  if (recovering_)
    return static_cast<uint32_t>(recovering_->parts_read * 50 / recovering_->snapshot.parts.size());
  const uint64_t first = replica().first().value() - 1;
  const uint64_t all = recovered_.value() - std::min(first, recovered_.value());
  return 50 + static_cast<uint32_t>(
                  all == 0 ? 50 : (applied_.value() - std::min(first, applied_.value())) * 50 / all);
}

}  // namespace bt::tracker
