#include "core/tracker/node.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/base/check.h"
#include "core/base/overloaded.h"
#include "core/base/version.h"

namespace bt::tracker {

using tracker_api::Outcome;
using tracker_api::Refuse;
using tracker_api::Response;
using tracker_api::Unavailable;
using Timer = Protocol::Timer;

namespace {

// How often deadlines and repetitions are looked at while anything is pending.
constexpr Duration kRetryTick = Milliseconds(100);
// Ticks wait this long past an expiry, and for each other.
constexpr Duration kTickSlack = Seconds(1);
constexpr Duration kTickPause = Seconds(5);

tracker_api::Role RoleOf(paxos::RoleKind role) {
  switch (role) {
    case paxos::RoleKind::kFollower:
      return tracker_api::Role::kFollower;
    case paxos::RoleKind::kLeader:
      return tracker_api::Role::kLeader;
    case paxos::RoleKind::kPreCandidate:
    case paxos::RoleKind::kCandidate:
      break;
  }
  return tracker_api::Role::kCandidate;
}

}  // namespace

TrackerNode::TrackerNode(Config config)
    : config_(std::move(config)),
      mutations_(config_),
      reads_(config_),
      orders_(config_),
      announces_(config_),
      snapshots_(config_),
      bulk_(config_),
      shipments_(config_, bulk_),
      held_values_(config_),
      disk_(config_),
      levels_(config_) {
  port_.emplace(config_.replica);
  applied_digest_ = state_.Digest();
}

void TrackerNode::Step(const Input<Protocol>& input, Ctx& context) {
  if (unusable_) return;
  // What is left over is for the timer's step alone: an iteration of the host's loop may be of many steps,
  // and a slice in each of them would take as long as no slices at all.
  const auto* fired = std::get_if<TimerFired<Protocol>>(&input);
  const bool rests = fired != nullptr && fired->timer == Timer::kRest;
  work_ = StepBudget(resting_ && !rests ? 0 : config_.step_work);
  if (StepOfRecovery(input, context)) return;
  std::visit(
      [&](const auto& event) {
        if constexpr (requires { On(event, context); }) On(event, context);
      },
      input);
  Settle(context);
  shipments_.Abridge(context);
  bulk_.Flush(replica(), context);
  context.out.Arm(Timer::kBulk,
                  std::min({bulk_.next_timer(), shipments_.next_timer(), held_values_.next_timer()}));
  disk_.EndStep(context.out.last_write(), context.now);
}

void TrackerNode::On(const Received<Protocol>& received, Ctx& context) {
  std::visit(
      Overloaded{
          [&](const paxos::Message& message) {
            port_->Deliver(Received<paxos::Protocol>{received.from, message}, context);
          },
          [&](const ForwardCommands& message) {
            mutations_.OnForwarded(received.from, message, replica().is_leader(),
                                   disk_.Refusal(replica(), context.now).value_or(""), state_, context);
          },
          [&](const ForwardReplies& message) {
            mutations_.OnReplies(message, state_, work_.mutations, context);
          },
          [&](const AskReadIndex& message) { reads_.OnAsked(received.from, message.round, *port_, context); },
          [&](const ReadIndexAnswer& message) { reads_.OnAnswered(message.round, message.slot); },
          [&](const ForwardOrder& message) { orders_.OnForwarded(received.from, message, *port_, context); },
          [&](const OrderAnswer& message) { orders_.OnAnswer(message, context); },
          [&](const Chunk& chunk) {
            OnPart(received.from, chunk.presence, context);
            if (auto message = bulk_.OnChunk(received.from, chunk, context)) {
              On(Received<Protocol>{received.from, *std::move(message)}, context);
            }
          },
          [&](const ChunkAck& ack) {
            OnPart(received.from, ack.presence, context);
            bulk_.OnAcknowledged(received.from, ack, context.now);
          },
          [&](const TellRoom& told) { disk_.OnTold(received.from, told, context.now); },
          [&](const TellLevels& told) { levels_.OnTold(received.from, told, context.now); },
          [&](const ShipValue& shipped) { held_values_.Take(received.from, shipped, context); },
          [&](const ValueHeld& said) {
            if (const std::optional<Slot> slot = shipments_.OnHeld(received.from, said))
              port_->Call(CallId(0), paxos::SendAgain{received.from, *slot}, context);
          },
          [&](const Abridged& abridged) {
            if (auto message = held_values_.Complete(received.from, abridged, context))
              port_->Deliver(Received<paxos::Protocol>{received.from, *std::move(message)}, context);
          },
      },
      received.message);
}

// A part of a long message is a sign of life.
void TrackerNode::OnPart(NodeId from, const paxos::Presence& presence, Ctx& context) {
  port_->Deliver(Received<paxos::Protocol>{from, presence}, context);
}

void TrackerNode::On(const TimerFired<Protocol>& fired, Ctx& context) {
  if (fired.timer == Timer::kReplica) {
    port_->FireDueTimers(context);
  } else if (fired.timer == Timer::kSnapshot) {
    snapshots_.OnTimer(state_, *port_, context);
  } else if (fired.timer == Timer::kBulk) {
    bulk_.OnTimer(context.now);
    held_values_.OnTimer(context.now);
  } else if (fired.timer == Timer::kRetry) {
    mutations_.OnRetryTimer();
    orders_.AnswerOverdue(context);
    snapshots_.AnswerOverdue(context);
  } else if (fired.timer == Timer::kExpiry && replica().is_leader()) {
    last_tick_ = context.now;
    port_->Call(CallId(0), paxos::Propose{EncodeCommand({}, Tick{})}, context);
  }
}

void TrackerNode::On(const WriteDone& done, Ctx& context) {
  bulk_.OnDurable(done.seq, replica().ballot(), context);
  disk_.OnDurable(done.seq, context.now);
  port_->Deliver(done, context);
}

void TrackerNode::On(const Call<Protocol>& call, Ctx& context) {
  std::visit(Overloaded{
                 [&](const Asked& asked) {
                   std::visit([&](const auto& known) { OnRequest(call.id, known, asked.source, context); },
                              asked.request);
                 },
                 [&](const SetLimits& limits) { Submit(call.id, limits, {}, context); },
                 [&](const Order& order) { orders_.Submit(call.id, order, *port_, context); },
                 [&](const TakeSnapshot& snapshot) { AddRead(call.id, snapshot, context); },
                 [&](const DiskRoom& room) {
                   disk_.OnRoom(room);
                   context.out.Reply(call.id, Response());
                 },
             },
             call.request);
}

// --- requests ---

void TrackerNode::OnRequest(CallId call, const tracker_api::Register& request, Source source, Ctx& context) {
  // Checked again at apply; here to spare the log what cannot succeed.
  if (const absl::Status form = request.metainfo.Validate(registry().limits().metainfo); !form.ok()) {
    context.out.Reply(call, Refuse(Outcome::kInvalid, std::string(form.message())));
    return;
  }
  Submit(call, request, source, context);
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Offer& request, Source source, Ctx& context) {
  if (auto problem = PeerProblem(request.peer)) {
    context.out.Reply(call, Refuse(Outcome::kInvalid, *std::move(problem)));
  } else if (CheckRanges(call, request.pieces, context)) {
    Submit(call, request, source, context);
  }
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Withdraw& request, Source source, Ctx& context) {
  if (CheckRanges(call, request.pieces, context)) Submit(call, request, source, context);
}

bool TrackerNode::CheckRanges(CallId call, const std::vector<PieceRange>& pieces, Ctx& context) {
  if (pieces.size() <= registry().limits().metainfo.pieces) return true;
  context.out.Reply(call, Refuse(Outcome::kInvalid, "more ranges than a torrent can have pieces"));
  return false;
}

template <class Mutation>
void TrackerNode::Submit(CallId call, const Mutation& mutation, Source source, Ctx& context) {
  if (const uint32_t needed = LevelOf(mutation); needed > registry().level()) {
    return context.out.Reply(call, Unavailable(NotInForceYet(needed, registry().level())));
  }
  if (auto full = disk_.Refusal(replica(), context.now)) {
    ++counters_.refused_for_room;
    return context.out.Reply(call, Unavailable(*std::move(full), kDiskPause));
  }
  if (auto refusal = mutations_.Submit(call, mutation, source, registry().limits(), context)) {
    context.out.Reply(call, *std::move(refusal));
  }
}

template <class Query>
Response TrackerNode::Answer(const Query& query) {
  if constexpr (std::is_same_v<Query, tracker_api::Lookup>) {
    return registry().Lookup(query, ++listings_, work_.reads);
  } else if constexpr (std::is_same_v<Query, tracker_api::List>) {
    return registry().List(query, work_.reads);
  } else {
    return registry().Fetch(query, work_.reads);
  }
}

void TrackerNode::Answer(const Reads::Read& read, Ctx& context) {
  std::visit(Overloaded{
                 [&](const TakeSnapshot&) { snapshots_.Ask(read.call, applied_, context); },
                 [&](const auto& query) { context.out.Reply(read.call, Answer(query)); },
             },
             read.query);
}

template <class Query>
void TrackerNode::OnQuery(CallId call, const Query& query, Ctx& context) {
  if (query.linearizable) return AddRead(call, query, context);
  context.out.Reply(call, Answer(query));
}

void TrackerNode::AddRead(CallId call, Reads::Query query, Ctx& context) {
  if (reads_.Add(call, std::move(query), context.now)) return;
  work_.reads.Answer();
  context.out.Reply(call, Unavailable("too many linearizable reads wait at this node"));
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Lookup& request, Source, Ctx& context) {
  OnQuery(call, request, context);
}

void TrackerNode::OnRequest(CallId call, const tracker_api::List& request, Source, Ctx& context) {
  OnQuery(call, request, context);
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Fetch& request, Source, Ctx& context) {
  OnQuery(call, request, context);
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Status&, Source, Ctx& context) {
  tracker_api::NodeStatus status;
  status.node = config_.replica.self;
  status.role = RoleOf(replica().role());
  status.leader = replica().leader();
  status.ballot_round = replica().ballot().round;
  status.chosen = replica().chosen();
  status.applied = applied_;
  status.registry_digest = applied_digest_;  // of a whole slot, as others have it
  status.torrents = registry().torrents();
  status.claims = registry().claims();
  status.alarms = Alarms(context.now);
  for (const paxos::Member& member : replica().members().membership.members)
    status.members.push_back(member.id);
  status.has_quorum = replica().has_quorum();
  status.program = kVersion;
  status.level = registry().level();
  status.oldest_level = config_.levels.oldest;
  status.newest_level = config_.levels.newest;
  Response response;
  response.body = std::move(status);
  context.out.Reply(call, std::move(response));
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Announce& request, Source source, Ctx& context) {
  Response response =
      announces_.Answer(request, source, registry(), context.now, EstimatedLogTime(context.now), ++listings_);
  if (response.outcome == Outcome::kOk && response.reason.empty() && !replica().has_quorum()) {
    response.reason =
        "this tracker hears no majority of its cluster: it keeps your announce and passes it on when it can";
  }
  context.out.Reply(call, std::move(response));
}

void TrackerNode::OnRequest(CallId call, const tracker_api::Scrape& request, Source, Ctx& context) {
  tracker_api::Scraped scraped;
  for (const InfoHash& hash : request.info_hashes) {
    if (scraped.entries.size() >= tracker_api::kScrapeLimit) break;
    const Torrent* torrent = registry().FindInfoHash(hash);
    if (torrent == nullptr) continue;  // BEP 48: files not known are left out
    scraped.entries.push_back({hash, torrent->complete, torrent->incomplete()});
  }
  Response response;
  response.body = std::move(scraped);
  context.out.Reply(call, std::move(response));
}

// --- what follows an input ---

void TrackerNode::Settle(Ctx& context) {
  disk_.Tend(*port_, context);
  levels_.Tend(*port_, registry().level(), context);
  bool again = true;
  while (again) {
    RouteReplicaAnswers(context);
    again = ApplyDecided(context);
    again |= InstallArrived(context);
    if (unusable_) return;
    const bool leader_changed = LeaderChanged();
    PumpAnnounces(context);
    if (leader_changed) held_values_.Clear();
    mutations_.Poll(leader_changed, bulk_.progress(), shipments_, *port_, work_, context);
    reads_.Poll(leader_changed, *port_, context);
    AnswerReads(context);
    again |= leader_changed || port_->has_answers();
  }
  snapshots_.AnswerDurable(replica().snapshot().prefix.slot, context);
  PollSnapshots(context);
  LeaveRest(context);
  ArmTimers(context);
}

void TrackerNode::RouteReplicaAnswers(Ctx& context) {
  for (const auto& answer : port_->TakeAnswers()) {
    if (Reads::IsReadCall(answer.call)) {
      reads_.OnReplica(answer.call, answer.response, context);
    } else if (Orders::IsOrderCall(answer.call)) {
      orders_.OnReplica(answer.call, answer.response, context);
    } else {
      mutations_.OnReplica(answer.call, answer.response, shipments_, work_.mutations, context);
    }
  }
}

void TrackerNode::Restore(ReplicatedState state, const paxos::Snapshot& snapshot, Ctx& context) {
  state.TakeOver(state_.peaks());
  state_ = std::move(state);
  applied_ = snapshot.prefix.slot;
  decided_.clear();  // all of it is within the snapshot
  applied_of_next_ = 0;
  applied_at_ = context.now;
  snapshots_.StartFrom(snapshot.bytes());
}

bool TrackerNode::LeaderChanged() {
  const paxos::Replica& replica = port_->machine();
  const bool changed = replica.leader() != last_leader_ || replica.ballot() != last_ballot_ ||
                       replica.is_leader() != was_leader_;
  last_leader_ = replica.leader();
  last_ballot_ = replica.ballot();
  was_leader_ = replica.is_leader();
  return changed;
}

void TrackerNode::PumpAnnounces(Ctx& context) {
  // They stand in for their claims until there is room.
  if (!announces_.has_work() || disk_.Refusal(replica(), context.now)) return;
  const Instant due = announced_at_ + config_.announce_pause;
  if (due <= context.now) {
    announced_at_ = context.now;
    Claims claims;
    claims.updates = announces_.TakeBatch(registry().limits());
    mutations_.SubmitClaims(claims);
  } else if (context.out.timers.deadline(Timer::kFlush) > due) {
    context.out.Arm(Timer::kFlush, due);
  }
}

void TrackerNode::ArmTimers(Ctx& context) {
  auto& timers = context.out.timers;
  timers.Arm(Timer::kReplica, port_->next_timer());
  if (!has_pending()) {
    timers.Disarm(Timer::kRetry);
  } else if (!timers.armed(Timer::kRetry)) {
    timers.Arm(Timer::kRetry, context.now + kRetryTick);
  }
  const Instant expiry = registry().next_expiry();
  if (!replica().is_leader() || expiry == Instant::Never()) {
    timers.Disarm(Timer::kExpiry);
  } else {
    const Instant due = applied_at_ + std::max(expiry - registry().log_time(), Duration{}) + kTickSlack;
    timers.Arm(Timer::kExpiry, std::max(due, last_tick_ + kTickPause));
  }
}

Instant TrackerNode::EstimatedLogTime(Instant now) const {
  return registry().log_time() + std::max(now - applied_at_, Duration{});
}

std::vector<tracker_api::Alarm> TrackerNode::Alarms(Instant now) const {
  std::vector<tracker_api::Alarm> alarms = state_.Alarms();
  disk_.AddAlarms(replica(), now, alarms);
  return alarms;
}

Waiting TrackerNode::waiting() const {
  const paxos::Leader* leading = replica().leading();
  return {.callers = mutations_.callers(),
          .mutations = mutations_.size(),
          .reads = reads_.size(),
          .read_indexes = reads_.asked(),
          .orders = orders_.size(),
          .snapshots = snapshots_.asked(),
          .proposals = leading == nullptr ? 0 : leading->waiting_calls()};
}

KeptParts TrackerNode::kept() const {
  const Bulk::OfOneNode bulk = bulk_.now();
  const Bulk::OfOneNode bulk_most = bulk_.most();
  return {.mutations = {mutations_.size(), mutations_.most().value()},
          .mutation_bytes = {mutations_.bytes(), mutations_.most_bytes().value()},
          .reads = {reads_.size(), reads_.most().value()},
          .read_rounds = {reads_.asked(), reads_.most_asked().value()},
          .orders = {orders_.size(), orders_.most().value()},
          .snapshots_asked = {snapshots_.asked(), snapshots_.most_asked().value()},
          .announces = {announces_.size(), announces_.most().value()},
          .announces_of_source = {0, announces_.most_of_source().value()},
          .shipped_values = {shipments_.not_ready(), shipments_.most().value()},
          .shipped_bytes = {shipments_.under_way_bytes(), shipments_.most_bytes().value()},
          .held_values = {held_values_.count(), held_values_.most().value()},
          .held_values_bytes = {held_values_.bytes(), held_values_.most_bytes().value()},
          .long_messages = {bulk.messages, bulk_most.messages},
          .long_message_bytes = {bulk.bytes, bulk_most.bytes}};
}

void TrackerNode::CheckInvariants() const {
  state_.CheckInvariants();
  mutations_.CheckInvariants();
  bulk_.CheckInvariants();
  shipments_.CheckInvariants();
  held_values_.CheckInvariants();
  CHECK(applied_ <= port_->machine().chosen());
}

uint64_t TrackerNode::Digest() const {
  RollingDigest digest;
  digest.Add(port_->machine().Digest());
  digest.Add(state_.Digest());
  digest.Add(applied_.value());
  digest.Add(decided_.size());
  digest.Add(applied_of_next_);
  digest.Add(recovering_ ? recovering_->parts_read : 0);
  digest.Add(mutations_.size());
  digest.Add(announces_.size());
  digest.Add(listings_);
  digest.Add(bulk_.Digest());
  digest.Add(shipments_.Digest());
  digest.Add(held_values_.bytes());
  digest.Add(disk_.Digest());
  digest.Add(levels_.Digest());
  return digest.value();
}

}  // namespace bt::tracker
