#include "core/tracker/mutations.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/tracker/disk_watch.h"
#include "core/tracker/format_level.h"
#include "core/tracker/registry.h"
#include "core/tracker/sessions.h"

namespace bt::tracker {

using tracker_api::MutationId;
using tracker_api::Outcome;
using tracker_api::Refuse;
using tracker_api::Response;
using tracker_api::Unavailable;

namespace {

// A queue of this node is full, which lasts moments.
constexpr Duration kOverloadPause = Seconds(1);
// A long command crosses a link of a megabit a second in less than this part of LongestCrossing.
constexpr int64_t kSilentPart = 3;

Response NoRoom(std::string reason) { return Unavailable(std::move(reason), kOverloadPause); }

}  // namespace

bool Mutations::HasRoom(size_t bytes) const {
  return by_id_.size() < config_.pending_max && bytes_ + bytes <= config_.pending_bytes_max;
}

uint32_t Mutations::Insert(const MutationId& id, Slice command, Instant deadline) {
  const uint32_t place = entries_.Take();
  Pending& entry = entries_[place];
  entry.id = id;
  bytes_ += command.size();
  entry.command = std::move(command);
  entry.deadline = deadline;
  entry.sent = Instant{};
  entry.sent_in = 0;
  entry.queued = entry.pooled = entry.claims = false;
  entry.previous = newest_;
  entry.next = kNone;
  (newest_ == kNone ? oldest_ : entries_[newest_].next) = place;
  newest_ = place;
  CHECK(by_id_.emplace(id, place).second);
  most_.Note(by_id_.size());
  most_bytes_.Note(bytes_);
  Queue(place);
  return place;
}

void Mutations::Queue(uint32_t place) {
  if (std::exchange(entries_[place].queued, true)) return;
  undispatched_.push_back(entries_.KeyOf(place));
}

void Mutations::Remove(uint32_t place) {
  Pending& entry = entries_[place];
  CHECK(by_id_.erase(entry.id) == 1);
  if (look_ == place) look_ = entry.next;
  bytes_ -= entry.command.size();
  entry.command = Slice();
  entry.calls.clear();
  entry.nodes.clear();
  (entry.previous == kNone ? oldest_ : entries_[entry.previous].next) = entry.next;
  (entry.next == kNone ? newest_ : entries_[entry.next].previous) = entry.previous;
  entries_.GiveBack(place);
}

template <class Operation>
std::optional<Response> Mutations::Submit(CallId call, const Operation& operation, Source source,
                                          const Limits& limits, Context<Protocol>& context) {
  const bool pooled = operation.id.session.value() == 0;
  if (!pooled) {
    if (operation.id.sequence == 0)
      return Refuse(Outcome::kInvalid, "sequences of a session start at 1, not at 0");
    const auto known = by_id_.find(operation.id);
    if (known != by_id_.end()) {  // a retry met its first attempt, or another node's forwarding of it
      Pending& entry = entries_[known->second];
      if (entry.calls.size() >= config_.waiters_per_mutation_max) {
        return NoRoom("too many callers wait for this mutation already");
      }
      entry.calls.push_back(call);
      callers_.insert(call);
      return std::nullopt;
    }
  }
  if (!HasRoom(0)) return NoRoom("this node has as many mutations under way as it can");
  const MutationId id = pooled ? pool_.Take(context.now, limits.session_lifetime) : operation.id;
  Slice command = EncodeCommand(id, operation, source);
  std::optional<Response> refusal;
  if (command.size() > paxos::kCommandBytesMax) {
    refusal = Refuse(Outcome::kTooLarge, absl::StrCat("the request is ", command.size(), " bytes; at most ",
                                                      paxos::kCommandBytesMax, " fit"));
  } else if (!HasRoom(command.size())) {
    refusal = NoRoom("this node has as many bytes of mutations under way as it can");
  }
  if (refusal) {
    if (pooled) pool_.Unused(id, context.now);
    return refusal;
  }
  Pending& entry = entries_[Insert(id, std::move(command), context.now + config_.deadline)];
  ++taken_;
  entry.pooled = pooled;
  entry.calls.push_back(call);
  callers_.insert(call);
  return std::nullopt;
}

template std::optional<Response> Mutations::Submit(CallId, const tracker_api::Register&, Source,
                                                   const Limits&, Context<Protocol>&);
template std::optional<Response> Mutations::Submit(CallId, const tracker_api::Offer&, Source, const Limits&,
                                                   Context<Protocol>&);
template std::optional<Response> Mutations::Submit(CallId, const tracker_api::Withdraw&, Source,
                                                   const Limits&, Context<Protocol>&);
template std::optional<Response> Mutations::Submit(CallId, const SetLimits&, Source, const Limits&,
                                                   Context<Protocol>&);

void Mutations::SubmitClaims(const Claims& claims) {
  if (claims_id_.session.value() == 0) claims_id_.session = pool_.NewSession();
  ++claims_id_.sequence;
  Pending& entry = entries_[Insert(claims_id_, EncodeCommand(claims_id_, claims), Instant::Never())];
  entry.claims = true;
}

// Only a leader takes commands of others, and it answers them when it has applied them itself. A reply that
// was true once stays true, so one that arrives late, from a leader that has lost its place, does no harm.
// A copy of what is applied here has crossed the reply on its way, or the reply was lost: it is answered at
// once. Proposed again it would change nothing (sessions.h), and a long one would cross every link once more.
void Mutations::OnForwarded(NodeId from, const ForwardCommands& message, bool leading,
                            const std::string& refusal, const ReplicatedState& applied,
                            Context<Protocol>& context) {
  if (!leading) return;  // the sender learns who leads, and sends again
  const uint32_t level = applied.registry().level();
  for (const Slice& command : message.commands) {
    const auto head = DecodeCommandHead(command);
    if (!head.ok() || head->id.session.value() == 0) continue;
    if (head->operation == Operation(RaiseLevel()).index()) continue;  // whoever leads knows for itself
    const MutationId* const id = &head->id;
    const uint32_t needed = LevelOfOperation(head->operation);
    const auto known = by_id_.find(*id);
    if (known != by_id_.end()) {
      Pending& entry = entries_[known->second];
      if (std::find(entry.nodes.begin(), entry.nodes.end(), from) == entry.nodes.end())
        entry.nodes.push_back(from);
      Queue(known->second);
    } else if (auto answer = applied.sessions().Answered(*id, applied.registry().limits())) {
      replies_[from].push_back({*id, *std::move(answer)});
    } else if (needed > level) {
      replies_[from].push_back({*id, Unavailable(NotInForceYet(needed, level), kOverloadPause)});
    } else if (!refusal.empty()) {
      replies_[from].push_back({*id, Unavailable(refusal, kDiskPause)});
    } else if (!HasRoom(command.size())) {
      replies_[from].push_back({*id, NoRoom("the leader has as many mutations under way as it can")});
    } else {
      ++taken_;
      entries_[Insert(*id, command, context.now + config_.deadline)].nodes.push_back(from);
    }
  }
}

void Mutations::OnReplies(const ForwardReplies& message, const ReplicatedState& applied, StepWork& work,
                          Context<Protocol>& context) {
  for (const ForwardReply& reply : message.replies) {
    const auto found = by_id_.find(reply.id);
    if (found == by_id_.end()) continue;
    // Claims wait until they are applied here: until then the announces stand in for them. Of those that came
    // with a snapshot nobody is told that they are applied, so that is looked up.
    const bool here = applied.sessions().Answered(reply.id, applied.registry().limits()).has_value();
    if (entries_[found->second].claims && !here) continue;
    Complete(found->second, reply.response, work, context);
  }
}

void Mutations::OnApplied(const MutationId& id, Response response, StepWork& work,
                          Context<Protocol>& context) {
  if (by_id_.empty()) return;
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) Complete(found->second, response, work, context);
}

void Mutations::Answer(CallId call, const MutationId& id, const Response& response,
                       Context<Protocol>& context) {
  if (callers_.erase(call) == 0) return;  // cancelled
  context.out.Reply(call, response);
  context.out.Note(Acked{call, id, response.outcome});
}

void Mutations::Complete(uint32_t place, const Response& response, StepWork& work,
                         Context<Protocol>& context) {
  Pending& entry = entries_[place];
  for (size_t i = 0; i < entry.calls.size() + entry.nodes.size(); ++i) work.Answer();
  if (entry.pooled && response.outcome == Outcome::kSessionExpired) {  // not the caller's session
    const Response again = NoRoom("this node's own session had expired: ask again");
    for (const CallId call : entry.calls) Answer(call, entry.id, again, context);
  } else {
    for (const CallId call : entry.calls) Answer(call, entry.id, response, context);
  }
  for (const NodeId node : entry.nodes) replies_[node].push_back({entry.id, response});
  // What left no trace does not count as the session's last mutation. Another copy of it may still be in the
  // log, so the session's next sequence must not be given to another mutation: the session goes too.
  const bool untraced = LeftNoTrace(response.outcome);
  if (entry.pooled && !untraced) pool_.Return(entry.id, context.now);
  if (entry.claims) {
    if (untraced) claims_id_ = {};
    claims_applied_ = response;
  }
  Remove(place);
}

// A replica that answers Busy or NotLeader has put nothing into the log, so proposing the same command again
// cannot double it. One that has taken a command says no more: what becomes of it is seen when it is applied.
void Mutations::OnReplica(CallId call, const paxos::Response& response, Shipments& shipments, StepWork& work,
                          Context<Protocol>& context) {
  if (const auto* proposed = std::get_if<paxos::Proposed>(&response))
    return shipments.OnProposed(call.value(), proposed->slot, proposed->index);
  if (!entries_.Holds(call.value())) return;
  const uint32_t place = SlotMap<Pending>::NumberOf(call.value());
  if (std::holds_alternative<paxos::TooLarge>(response)) {
    Complete(place, Refuse(Outcome::kTooLarge, "the request is too long for the replicated log"), work,
             context);
  } else {
    entries_[place].sent_in = 0;  // tried again by the retry timer, or when the leader changes
  }
}

// The proposal's CallId at the replica is the place's key: an answer that comes late finds nothing.
void Mutations::Propose(uint64_t key, ReplicaPort& port, Context<Protocol>& context) {
  if (!entries_.Holds(key)) return;
  port.Call(CallId(key), paxos::Propose{entries_[SlotMap<Pending>::NumberOf(key)].command}, context);
}

// A leader that has taken a proposal keeps it as long as it leads, so this node proposes a command once in
// each epoch. What it forwards may be lost on the way: that is sent again (OnRetryTimer). A node forwards
// what was asked of itself alone: what another node has sent here, that node sends to the next leader.
void Mutations::Dispatch(uint64_t key, Shipments& shipments, ReplicaPort& port, StepWork& work,
                         Context<Protocol>& context) {
  work.Row();
  if (!entries_.Holds(key)) return;  // gone in the meantime
  Pending& entry = entries_[SlotMap<Pending>::NumberOf(key)];
  entry.queued = false;
  if (port.machine().is_leader()) {
    if (entry.sent_in == epoch_) return;
    entry.sent_in = epoch_;
    work.Command(entry.command.size());
    if (!shipments.Takes(key, entry.command, port.machine(), context.now)) Propose(key, port, context);
  } else if (origin(entry) && port.machine().leader()) {
    entry.sent_in = epoch_;
    entry.sent = context.now;
    entry.queued = true;
    to_forward_.push_back(key);
  }
}

// After a change of leader every mutation that waits is proposed or forwarded again, whether or not an
// earlier copy of it is in the log: nobody here can know. That is safe because a mutation keeps its id and is
// applied once (ReplicatedState::Apply), and it is what makes a caller's answer not depend on one leader's
// life.
void Mutations::Poll(bool leader_changed, Instant progress, Shipments& shipments, ReplicaPort& port,
                     StepBudget& work, Context<Protocol>& context) {
  if (leader_changed) {
    ++epoch_;
    shipments.Clear();
    undispatched_.insert(undispatched_.end(), to_forward_.begin(), to_forward_.end());
    to_forward_.clear();
    look_ = oldest_;
  }
  Look(port.machine(), progress, work.looks, context);
  // First what waits for longest, lest new ones keep it waiting.
  if (FlushIsDue(context.now)) Flush(port.machine(), work.mutations, context);
  while (!undispatched_.empty() && work.mutations.left()) {
    const uint64_t key = undispatched_.front();
    undispatched_.pop_front();
    Dispatch(key, shipments, port, work.mutations, context);
  }
  shipments.Poll(
      port.machine(), [&](uint64_t key) { return entries_.Holds(key); }, context);
  for (const uint64_t key : shipments.TakeReady()) Propose(key, port, context);
  if (FlushIsDue(context.now)) Flush(port.machine(), work.mutations, context);
  const Instant due = flushed_ + config_.coalesce;
  if (!to_forward_.empty() && due > context.now && context.out.timers.deadline(Protocol::Timer::kFlush) > due)
    context.out.Arm(Protocol::Timer::kFlush, due);
  FlushReplies(context);
}

void Mutations::Flush(const paxos::Replica& replica, StepWork& work, Context<Protocol>& context) {
  if (!work.left()) return;
  flushed_ = context.now;
  const std::optional<NodeId> leader = replica.leader();
  const bool known = leader && *leader != replica.config().self;
  ForwardCommands message;
  size_t bytes = 0;
  const auto send = [&] {
    if (!message.commands.empty()) context.out.Send(*leader, std::exchange(message, {}));
    bytes = 0;
  };
  while (!to_forward_.empty() && work.left()) {
    const uint64_t key = to_forward_.front();
    to_forward_.pop_front();
    work.Row();
    if (!entries_.Holds(key)) continue;
    Pending& entry = entries_[SlotMap<Pending>::NumberOf(key)];
    entry.queued = false;
    if (!known) continue;  // sent again when its time comes, to whoever leads then
    work.Command(entry.command.size());
    entry.sent = context.now;
    if (entry.command.size() > config_.chunk_bytes_min) {  // alone: nothing short travels with it
      send();
      context.out.Send(*leader, ForwardCommands{{entry.command}});
      continue;
    }
    if (message.commands.size() >= config_.forward_commands_max ||
        bytes + entry.command.size() > config_.forward_bytes_max) {
      send();
    }
    bytes += entry.command.size();
    message.commands.push_back(entry.command);
  }
  send();
}

void Mutations::FlushReplies(Context<Protocol>& context) {
  for (auto& [node, replies] : replies_) {
    context.out.Send(node, ForwardReplies{std::move(replies)});
  }
  replies_.clear();
}

// How long nothing may be heard of a mutation that was forwarded before it is forwarded again. A long one
// that has arrived at the leader crosses the links from there to the others, which may be slower, and of that
// its origin sees nothing. But the reply may be lost, too, so it is half of what a caller waits for at most.
Duration Mutations::Silence(const Pending& entry) const {
  const Duration crossing = LongestCrossing(entry.command.size()) / kSilentPart;
  return std::max(config_.retry, std::min(crossing, config_.deadline / 2));
}

// A long command may take longer to cross the links than a caller is kept waiting otherwise: its time runs
// from the last progress. That may have been another message's, so there is an end to it.
Instant Mutations::DeadlineOf(const Pending& entry, Instant progress) const {
  const Instant last = entry.deadline + LongestCrossing(entry.command.size());
  return std::clamp(progress + config_.deadline, entry.deadline, last);
}

// What was not proposed or forwarded since the leader changed is in doubt. What was forwarded may be lost.
bool Mutations::IsToBeSent(const Pending& entry, const paxos::Replica& replica, Instant progress,
                           Instant now) const {
  if (replica.is_leader()) return entry.sent_in != epoch_;
  if (!origin(entry)) return false;
  const bool under_way = LongestCrossing(entry.command.size()) > Duration{} && progress > entry.sent;
  const Instant last = under_way ? progress : entry.sent;
  return entry.sent_in != epoch_ || last + Silence(entry) <= now;
}

void Mutations::AnswerLate(uint32_t place, const paxos::Replica& replica, StepWork& work,
                           Context<Protocol>& context) {
  const std::optional<NodeId> leader = replica.leader();
  const Response late = Unavailable(
      leader ? absl::StrCat("no majority of the trackers confirmed the request in time (leader: node ",
                            leader->value(), "); it may still take effect")
             : std::string("this tracker hears no leader, so no majority of its cluster; the request may "
                           "still take effect"));
  const Pending& entry = entries_[place];
  for (const CallId call : entry.calls) {
    work.Answer();
    Answer(call, entry.id, late, context);
  }
  Remove(place);
}

void Mutations::OnRetryTimer() {
  if (look_ == kNone) look_ = oldest_;
}

void Mutations::Look(const paxos::Replica& replica, Instant progress, StepWork& work,
                     Context<Protocol>& context) {
  while (look_ != kNone && work.left()) {
    const uint32_t place = look_;
    const Pending& entry = entries_[place];
    look_ = entry.next;
    work.Row();
    if (!entry.claims && DeadlineOf(entry, progress) <= context.now) {  // the node's own have no deadline
      AnswerLate(place, replica, work, context);
    } else if (IsToBeSent(entry, replica, progress, context.now)) {
      Queue(place);
    }
  }
}

bool Mutations::has_rest(Instant now) const {
  return look_ != kNone || !undispatched_.empty() || FlushIsDue(now);
}

void Mutations::CheckInvariants() const {
  CHECK(by_id_.size() <= size_t{config_.pending_max} + 1);  // and the node's own claims
  CHECK((oldest_ == kNone) == by_id_.empty());
}

}  // namespace bt::tracker
