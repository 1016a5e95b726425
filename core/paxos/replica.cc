#include "core/paxos/replica.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::paxos {

Replica::Replica(Config config, Snapshot snapshot)
    : config_(std::move(config)),
      acceptor_(config_, {snapshot.prefix, snapshot.stamp, snapshot.epochs}),
      catch_up_(config_, acceptor_),
      keeper_(std::move(snapshot)),
      fetch_(config_) {
  const std::vector<NodeId>& first = config_.members;
  CHECK_MSG(first.empty() || std::find(first.begin(), first.end(), config_.self) != first.end(),
            "a replica must be a member of its own cluster");
  CHECK(config_.election_min <= config_.election_max && config_.heartbeat < config_.election_min);
  // Every value and every message then fits its record and its frame.
  CHECK(config_.batch_bytes_max <= kCommandBytesMax && config_.batch_commands_max <= 65'536);
  CHECK(config_.promise_bytes_max <= kCommandBytesMax && config_.catch_up_bytes_max <= kCommandBytesMax);
  CHECK(config_.window_slots > 0 && config_.window_slots <= kMembershipDelay);
  CHECK(config_.batch_commands_max > 0 && config_.peer_slots_max > 0);
}

void Replica::Step(const Input<Protocol>& input, Context<Protocol>& context) {
  std::visit(
      [&](const auto& event) {
        using Event = std::decay_t<decltype(event)>;
        if constexpr (std::is_same_v<Event, Started>) {
          OnStarted(event, context);
        } else if constexpr (std::is_same_v<Event, Received<Protocol>>) {
          // Whoever knows the cluster's secret may speak: a replica may not know yet who became a member.
          // Votes of others are counted nowhere.
          if (event.from == config_.self || stopped_) return;
          if (!plausibility_.Admits(event.message, context.now)) return void(++implausible_);
          std::visit([&](const auto& message) { On(event.from, message, context); }, event.message);
        } else if constexpr (std::is_same_v<Event, TimerFired<Protocol>>) {
          OnTimer(event.timer, context);
        } else if constexpr (std::is_same_v<Event, WriteDone>) {
          if (!stopped_) OnDurable(event.seq, context);
        } else if constexpr (std::is_same_v<Event, Call<Protocol>>) {
          OnCall(event, context);
        } else if constexpr (std::is_same_v<Event, PeerClosed>) {
          OnPeerClosed(event.peer, context);
        }
      },
      input);
  FollowConfigurations(context);
}

void Replica::OnStarted(const Started& started, Ctx& context) {
  CHECK(!started_);
  started_ = true;
  acceptor_.Recover(started.records, context.out);
  plausibility_.Start(acceptor_.promised().round, context.now);
  compared_ = acceptor_.promised().round == 0;
  version_ = members().membership.version;
  if (acceptor_.configurations().VotesAlone(config_.self, chosen())) return StandForElection(context);
  BecomeFollower(std::nullopt, context);
}

void Replica::OnTimer(Protocol::Timer timer, Ctx& context) {
  switch (timer) {
    case Protocol::Timer::kElection:
      return OnElectionTimer(context);
    case Protocol::Timer::kHeartbeat:
      if (Leader* leader = std::get_if<Leader>(&role_); leader && !leader->OnTick(acceptor_, context)) {
        BecomeFollower(std::nullopt, context);
      }
      return;
    case Protocol::Timer::kCatchUp:
      return catch_up_.OnTimer(chosen(), context);
    case Protocol::Timer::kSnapshot:
      return fetch_.OnTimer(context);
    case Protocol::Timer::kCount:
      break;
  }
}

void Replica::OnDurable(WriteSeq durable, Ctx& context) {
  if (keeper_.OnDurable(durable)) {
    // The snapshot is durable as a whole. Only now may what it holds be cut from the log and forgotten by the
    // journal: a crash before this leaves the records from which it was made.
    acceptor_.CutLog(keeper_.kept().prefix.slot);
    context.out.Forget(keeper_.needed());
  }
  if (Leader* leader = std::get_if<Leader>(&role_)) return leader->OnDurable(durable, acceptor_, context);
  Candidate* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || durable < candidate->own_promise) return;
  candidate->promises.Add(config_.self);
  TakeOverIfReady(context);
}

void Replica::OnCall(const Call<Protocol>& call, Ctx& context) {
  if (const auto* save = std::get_if<SaveSnapshot>(&call.request)) {
    OnSave(*save, context);
    return context.out.Reply(call.id, Noted{});
  }
  if (const auto* install = std::get_if<InstallSnapshot>(&call.request)) {
    OnInstall(install->sound, context);
    return context.out.Reply(call.id, Noted{});
  }
  Leader* leading = std::get_if<Leader>(&role_);
  if (leading == nullptr) return context.out.Reply(call.id, NotLeader{leader()});
  if (const Propose* propose = std::get_if<Propose>(&call.request)) {
    leading->OnPropose(call.id, propose->command, acceptor_, context);
  } else if (std::holds_alternative<ReadIndex>(call.request)) {
    leading->OnReadIndex(call.id, acceptor_, context);
  } else if (const SendAgain* again = std::get_if<SendAgain>(&call.request)) {
    leading->OnSendAgain(*again, acceptor_, context);
    context.out.Reply(call.id, Noted{});
  } else {
    leading->OnOperator(call.id, call.request, acceptor_, context);
  }
}

// A replica whose chosen prefix is not its peer's, or who has forgotten what it acknowledged, can only spread
// the damage: it gives up its role, answers nothing more, and leaves its journal as it is for people to look
// at.
void Replica::Stop(const Note& why, Ctx& context) {
  stopped_ = true;
  BecomeFollower(std::nullopt, context);
  for (const auto timer : {Protocol::Timer::kElection, Protocol::Timer::kHeartbeat, Protocol::Timer::kCatchUp,
                           Protocol::Timer::kSnapshot}) {
    context.out.Disarm(timer);
  }
  context.out.Note(why);
}

// --- acceptor's side ---

void Replica::On(NodeId from, const Prepare& message, Ctx& context) {
  if (message.ballot.node != from) return;
  // Who knows as much of the log as the candidate does knows whether it votes; its ballot can decide nothing.
  if (message.from <= chosen().next() && !acceptor_.configurations().Votes(from, chosen())) return;
  if (message.ballot < acceptor_.promised()) {
    return context.out.Send(from, Rejected{message.ballot, acceptor_.promised()});
  }
  if (message.ballot > acceptor_.promised()) {
    acceptor_.RaisePromise(message.ballot, context.out);
    compared_ = true;  // who led before is answered no more
    BecomeFollower(std::nullopt, context);
  }
  // A promise binds after a crash as well ("Paxos Made Simple", 2.5), so it is told when it is durable. What
  // it reports may still be on its way to disk, too, and the candidate will count on it: the report waits for
  // everything written so far.
  context.out.SendAfter(from, acceptor_.Report(message.from), context.out.last_write());
}

// A leader's ballot above the promise is promised before anything is accepted under it: its leader has the
// promises of a quorum already, and a replica that accepted without promising could later promise less. The
// journal orders the two, and the acceptance waits for both.
bool Replica::Follow(NodeId from, Ballot ballot, Ctx& context) {
  if (ballot.node != from) return false;
  if (ballot < acceptor_.promised()) {
    context.out.Send(from, Rejected{ballot, acceptor_.promised()});
    return false;
  }
  if (ballot > acceptor_.promised()) acceptor_.RaisePromise(ballot, context.out);
  Follower* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != from) {
    BecomeFollower(from, context);
  } else {
    follower->heard = context.now;
    ArmElection(context);
  }
  return true;
}

void Replica::On(NodeId from, const Accept& message, Ctx& context) {
  if (message.slot == Slot(0) || !IsValue(message.value)) return;
  // A leader that calls the slot chosen sends the value it knows as chosen; if this replica knows another
  // one, they have diverged. Without that word the value may be one of a leader whose ballot lost.
  const std::optional<uint64_t> known = acceptor_.ChosenValue(message.slot);
  if (known && message.slot <= message.chosen && HashBytes(message.value.view()) != *known) {
    return Stop(Diverged{from, message.slot, *known, HashBytes(message.value.view())}, context);
  }
  if (!compared_) return;
  if (!Follow(from, message.ballot, context)) return;
  // An Accept further above is dropped as if the network had lost it: its sender repeats it, and by then this
  // replica has learned what lies between.
  if (message.slot <= chosen() + config_.gap_slots_max) {
    const std::optional<WriteSeq> after =
        acceptor_.Accept(message.ballot, message.slot, message.value, context.out);
    if (after) context.out.SendAfter(from, Accepted{message.ballot, message.slot}, *after);
  }
  OnWatermark(from, message.ballot, message.chosen, context);
}

void Replica::On(NodeId from, const Heartbeat& message, Ctx& context) {
  // What is chosen is chosen whoever says so: the comparison holds under any ballot.
  const std::optional<uint64_t> chain = acceptor_.ChainAt(message.common.slot);
  if (chain && *chain != message.common.chain) {
    return Stop(Diverged{from, message.common.slot, *chain, message.common.chain}, context);
  }
  if (const std::optional<Forgot> forgot = Forgotten(from, message)) return Stop(*forgot, context);
  if (!Follow(from, message.ballot, context)) return;
  compared_ = true;
  OnWatermark(from, message.ballot, message.chosen, context);
  acceptor_.RecordChosen(context.out);
  context.out.Send(from, HeartbeatReply{message.ballot, message.beat, chosen()});
}

// An acceptance is told when it is durable, and a crash takes nothing from the log's end: for each slot told
// of, the slot's entry or a snapshot of it is here in every later life. So is the promise. What the leader
// says of it was true when it sent this, and what is held has only grown since. If less is here, the disk has
// lost what it had called durable, and a vote of this replica could make a second majority that does not know
// what the first one chose ("Paxos Made Simple", section 2.5). This sees what was told to the leader of the
// moment alone: what was told to leaders before it, and no later life was told of, only they knew.
std::optional<Forgot> Replica::Forgotten(NodeId from, const Heartbeat& message) const {
  if (message.ballot.node != from || message.ballot < acceptor_.promised()) return std::nullopt;
  const Slot held = std::max(chosen(), acceptor_.log().last());
  if (message.acknowledged > held) return Forgot{from, message.ballot.round, message.acknowledged, held};
  if (message.promised && message.ballot > acceptor_.promised()) {
    return Forgot{from, message.ballot.round, Slot(0), held};
  }
  return std::nullopt;
}

void Replica::On(NodeId from, const Watermark& message, Ctx& context) {
  if (Follow(from, message.ballot, context)) OnWatermark(from, message.ballot, message.chosen, context);
}

void Replica::OnWatermark(NodeId from, Ballot ballot, Slot chosen, Ctx& context) {
  acceptor_.Advance(ballot, chosen, context.out);
  catch_up_.Want(chosen, from, acceptor_.chosen(), /*at_once=*/false, context);
}

// One voter has promised a higher ballot. Its word proves nothing about a quorum, so going on would be safe;
// but somebody stands, or has stood, under that ballot, and two who both go on would refuse each other's
// messages for as long. The lower one gives way, and its next ballot is above the one it has heard of.
void Replica::On(NodeId, const Rejected& message, Ctx& context) {
  highest_round_ = std::max(highest_round_, message.promised.round);
  if (message.ballot != acceptor_.promised() || message.promised <= message.ballot) return;
  if (is_leader() || std::holds_alternative<Candidate>(role_)) BecomeFollower(std::nullopt, context);
}

void Replica::On(NodeId from, const Accepted& message, Ctx& context) {
  Leader* leader = std::get_if<Leader>(&role_);
  if (leader != nullptr && leader->ballot() == message.ballot) {
    leader->OnAccepted(from, message, acceptor_, context);
  }
}

void Replica::On(NodeId from, const HeartbeatReply& message, Ctx& context) {
  Leader* leader = std::get_if<Leader>(&role_);
  if (leader != nullptr && leader->ballot() == message.ballot) {
    leader->OnHeartbeatReply(from, message, acceptor_, context);
  }
}

// --- catch-up ---

void Replica::On(NodeId from, const CatchUp& message, Ctx& context) {
  // Who asks knows everything before. One that joined and was restarted may know nobody else to ask.
  if (!is_leader() && message.from > chosen().next()) {
    catch_up_.Want(message.from - 1, from, chosen(), /*at_once=*/false, context);
  }
  CatchUpReply reply{.from = message.from, .chosen = chosen(), .first = first()};
  size_t bytes = 0;
  for (Slot slot = message.from; slot >= acceptor_.log().first() && slot <= chosen(); ++slot) {
    const Slice& value = acceptor_.log().Find(slot)->value;
    if (bytes > 0 && bytes + value.size() > config_.catch_up_bytes_max) break;
    bytes += value.size();
    reply.values.push_back(value);
  }
  context.out.Send(from, std::move(reply));
}

// One peer's word is enough here, unlike in phase 1: a peer sends only what it knows as chosen, and a slot
// has one chosen value for ever ("Paxos Made Simple", P2). So the values need no ballot and no quorum, and a
// peer that tells of another value than this replica knows means that the two have diverged.
void Replica::On(NodeId from, const CatchUpReply& message, Ctx& context) {
  if (is_leader()) return;  // it learns by counting, under its own ballot
  const Slot before = chosen();
  Slot slot = message.from;
  for (const Slice& value : message.values) {
    if (slot > chosen().next() || !IsValue(value)) break;
    const std::optional<uint64_t> known = acceptor_.ChosenValue(slot);
    if (known && HashBytes(value.view()) != *known) {
      return Stop(Diverged{from, slot, *known, HashBytes(value.view())}, context);
    }
    if (slot == chosen().next()) acceptor_.Learn(value, context.out);
    ++slot;
  }
  catch_up_.OnPiece(from, message.chosen, before, chosen(), context);
  // What is missing here is cut from that peer's log, and its snapshot has it.
  if (message.first > chosen().next() && message.chosen >= message.first - 1) fetch_.Begin(from, context);
  TakeOverIfReady(context);
}

// --- snapshots ---

void Replica::On(NodeId from, const AskSnapshot& message, Ctx& context) {
  keeper_.Serve(from, message, context);
}

void Replica::On(NodeId from, const SnapshotPart& message, Ctx& context) {
  if (is_leader()) return;  // it holds what was chosen, or a quorum's reports of it
  fetch_.OnPart(from, message, chosen(), context);
}

void Replica::OnSave(const SaveSnapshot& save, Ctx& context) {
  const std::optional<uint64_t> chain = acceptor_.ChainAt(save.slot);
  CHECK_MSG(chain.has_value(), "a snapshot of a slot that is not chosen, or is cut from the log");
  if (!may_save(save.slot)) return;
  keeper_.Save({{save.slot, *chain}, save.stamp, acceptor_.configurations().At(save.slot)}, save.bytes,
               save.last, acceptor_, context.out);
}

// A peer's snapshot holds only what is chosen (SnapshotKeeper), so taking it up is learning, as from a peer's
// log. Its parts are written before anything that this replica accepts above it, and the journal is read in
// order: whoever recovers an acceptance above the snapshot has recovered the snapshot. No answer given before
// is taken back: what was accepted up to there is chosen or of no consequence now (Acceptor::Accept).
void Replica::OnInstall(bool sound, Ctx& context) {
  CHECK(fetch_.arrived() != nullptr);
  const NodeId peer = fetch_.peer();
  const Snapshot snapshot = fetch_.End(context.out);
  if (!sound) return;
  CHECK(!is_leader() && snapshot.prefix.slot > chosen());
  const Beginning beginning{snapshot.prefix, snapshot.stamp, snapshot.epochs};
  for (size_t part = 0; part < snapshot.parts.size(); ++part) {
    keeper_.Save(beginning, snapshot.parts[part], part + 1 == snapshot.parts.size(), acceptor_, context.out);
  }
  const Slot before = chosen();
  acceptor_.Begin(beginning, context.out);
  catch_up_.OnPiece(peer, snapshot.prefix.slot, before, chosen(), context);
  TakeOverIfReady(context);
}

// --- looking in ---

std::optional<NodeId> Replica::leader() const {
  if (is_leader()) return config_.self;
  const Follower* follower = std::get_if<Follower>(&role_);
  return follower != nullptr ? follower->leader : std::nullopt;
}

std::string_view Replica::role_name() const {
  constexpr std::string_view kNames[] = {"follower", "pre-candidate", "candidate", "leader"};
  return kNames[role_.index()];
}

void Replica::CheckInvariants() const {
  acceptor_.CheckInvariants();
  if (const Leader* leader = std::get_if<Leader>(&role_)) leader->CheckInvariants(acceptor_);
  if (const Candidate* candidate = std::get_if<Candidate>(&role_)) {
    CHECK(candidate->ballot == acceptor_.promised() && candidate->ballot.node == config_.self);
  }
}

uint64_t Replica::Digest() const {
  RollingDigest digest;
  digest.Add(acceptor_.Digest());
  digest.Add(role_.index());
  digest.Add(leader().value_or(NodeId(0)).value());
  digest.Add(highest_round_);
  digest.Add(plausibility_.limit());
  digest.Add(stopped_);
  digest.Add(members().chosen.value());
  digest.Add(static_cast<uint64_t>(election_timeout_.ns));
  if (const Leader* leader = std::get_if<Leader>(&role_)) digest.Add(leader->Digest());
  return digest.value();
}

}  // namespace bt::paxos
