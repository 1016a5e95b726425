// What a TrackerNode does of what has become possible, as far as a step has room for it: chosen commands are
// applied, and reads that they were waiting for are answered.

#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "core/base/check.h"
#include "core/tracker/node.h"

namespace bt::tracker {

using tracker_api::Response;
using tracker_api::Unavailable;
using Timer = Protocol::Timer;

namespace {

// After a batch of announces' claims was refused (no session to be had): before it is proposed again.
constexpr Duration kClaimsRefusedPause = Seconds(1);

}  // namespace

// A slot may be of thousands of commands, so a step may end between two of them. That is this node's own
// affair: every replica applies the same commands in the same order, wherever its steps end. Whoever asks
// between two commands of a slot sees all commands up to there: they are chosen, and their order is that of
// the log, which is all that linearizability asks for. applied() is then still the slot before: the digest
// that others are told is that slot's, and no snapshot is begun.
bool TrackerNode::ApplyDecided(Ctx& context) {
  for (paxos::Decided& entry : port_->machine().TakeDecided()) decided_.push_back(std::move(entry));
  bool applied = false;
  while (!decided_.empty() && work_.apply.left()) {
    const paxos::Decided& entry = decided_.front();
    CHECK(entry.slot == applied_.next());
    if (applied_of_next_ < entry.batch.commands.size()) {
      ApplyNext(entry, context);
      if (unusable_) return false;
    } else {
      work_.apply.Row();
    }
    applied = true;
    if (applied_of_next_ < entry.batch.commands.size()) continue;
    EndSlot(entry, context);
    decided_.pop_front();
  }
  if (const std::optional<Response> claims = mutations_.TakeClaimsApplied()) {
    const bool done = !LeftNoTrace(claims->outcome);
    announces_.BatchApplied(done);
    if (!done) announced_at_ = context.now + kClaimsRefusedPause;
  }
  return applied;
}

// Answers go out here, in the step that applies the command: it is chosen, so a majority holds it durably,
// and no acknowledgement can be lost with this node.
void TrackerNode::ApplyNext(const paxos::Decided& entry, Ctx& context) {
  const Slice& command = entry.batch.commands[applied_of_next_];
  const uint64_t rows = state_.rows();
  CommandResult result = state_.Apply(entry.batch.stamp, command, config_.levels);
  if (!result.unreadable.empty()) {
    return GiveUp(absl::StrCat("slot ", entry.slot.value(), " of the log: ", result.unreadable), context);
  }
  ++applied_of_next_;
  applied_at_ = context.now;  // a no-op moves no log time on
  work_.apply.Command(command.size());
  work_.apply.Rows(state_.rows() - rows);
  if (!result.well_formed) ++counters_.malformed_commands;
  if (result.id.session.value() == 0) return;
  mutations_.OnApplied(result.id, std::move(result.response), work_.apply, context);
}

void TrackerNode::EndSlot(const paxos::Decided& entry, Ctx& context) {
  applied_ = entry.slot;
  applied_of_next_ = 0;
  snapshots_.OnApplied(entry);
  NoteApplied(entry.batch.commands.size(), context);
  // A node that is behind may end no step between two slots for long.
  PollSnapshots(context);
}

void TrackerNode::NoteApplied(size_t commands, Ctx& context) {
  applied_digest_ = state_.Digest();
  context.out.Note(Applied{applied_, static_cast<uint32_t>(commands), applied_digest_});
}

// A snapshot is the state of a slot, so none is begun within one.
void TrackerNode::PollSnapshots(Ctx& context) {
  if (applied_of_next_ == 0) snapshots_.Poll(state_, *port_, context);
}

// A read that is answered a step later shows a state as new or newer, so slices keep reads linearizable.
void TrackerNode::AnswerReads(Ctx& context) {
  while (work_.reads.left()) {
    const std::optional<Reads::Next> next = reads_.TakeNext(applied_, context.now);
    if (!next) return;
    if (!next->asked_for) {
      work_.reads.Row();
    } else if (next->overdue) {
      work_.reads.Answer();
      context.out.Reply(next->read.call,
                        Unavailable("no majority of the trackers confirmed in time that this node is up to "
                                    "date; ask again, or without linearizable"));
    } else {
      Answer(next->read, context);
    }
  }
}

void TrackerNode::LeaveRest(Ctx& context) {
  resting_ = !decided_.empty() || installing_ || mutations_.has_rest(context.now) ||
             reads_.HasNext(applied_, context.now);
  if (resting_ && !context.out.timers.armed(Timer::kRest)) context.out.Arm(Timer::kRest, context.now);
}

}  // namespace bt::tracker
