#include "sim/scenarios/tracker_cluster.h"

#include <absl/strings/str_format.h>

#include <algorithm>

#include "core/base/digest.h"
#include "core/tracker/state_builder.h"
#include "sim/scenarios/knobs.h"
#include "sim/scenarios/own_answers.h"
#include "sim/scenarios/tracker_messages.h"

namespace bt::sim {
namespace {

constexpr size_t kHeldMessagesMax = 100'000;
// A node never hangs: at its deadline, or the next time it looks at what is overdue, it says that it could
// not.
constexpr Duration kDeadlineSlack = Seconds(1);

// What a step answers, and sends one peer of messages that are not cut, beside a window of chunks.
constexpr size_t kShortBytesMax = 1u << 20;

Slice EncodeEdge(EdgeMessage message) { return Slice::Own(Encode(message)); }

NodeId NodeOf(const TrackerHost& host) { return NodeId(host.index() + 1); }

std::vector<NodeId> Members(uint32_t count) {
  std::vector<NodeId> members;
  for (uint32_t i = 0; i < count; ++i) members.push_back(NodeId(i + 1));
  return members;
}

// Messages that are late, and syncs that were begun before the disk was healed.
Duration StragglersMax(const FaultPlan& plan) {
  Duration network = plan.network.latency_max;
  if (plan.network.reorder_ppm > 0) network = network + plan.network.reorder_extra_max;
  if (plan.slow_link > 0) network = network + Nemesis::kSlowLinkMax;
  if (plan.slow_replies > 0) network = network + Nemesis::kLateRepliesMax;
  Duration disk = plan.disk.sync_max;
  if (plan.disk.slow_ppm > 0) disk = plan.disk.slow_max;
  if (plan.disk.hang_ppm > 0) disk = plan.disk.hang_max;
  if (plan.disk.gray_ppm > 0) disk = std::max(disk, plan.disk.gray);
  if (plan.disk.bytes_per_second > 0) {
    constexpr int64_t kUnsyncedBytes = 128 * 1024;  // more than a segment
    disk = std::max(disk, Seconds(kUnsyncedBytes) / static_cast<int64_t>(plan.disk.bytes_per_second));
  }
  return network + disk;
}

// What a node's machine is told by these bytes: themselves, or the long message that they complete.
std::optional<Slice> MessageIn(TrackerHost& host, NodeId from, const Slice& bytes) {
  const std::optional<tracker::Chunk> chunk = Read<tracker::Chunk>(bytes);
  return chunk ? host.machine()->bulk().Completes(from, *chunk) : bytes;
}

}  // namespace

tracker::Source SourceOfEndpoint(uint32_t index) {
  return tracker::SourceOf(Address::V4(10, 1, 0, static_cast<uint8_t>(index), 0));
}

// --- TrackerAdaptor ---

std::unique_ptr<tracker::TrackerNode> TrackerAdaptor::Make(TrackerHost& host) {
  tracker::Config config = cluster_->config();
  config.replica.self = NodeId(host.index() + 1);
  if (host.index() >= cluster_->first_members()) config.replica.members.clear();
  config.levels = cluster_->levels().Begin(host.index());
  chosen_ = Slot(0);
  begins_ = true;
  handed_over_ = taken_ = 0;
  led_without_room_ = false;
  durable_ = host.journal().durable();
  synced_ = host.now();
  answers_.OnStart(host.now(), config.deadline + kDeadlineSlack);
  bulk_.OnStart(host.now());
  const tracker::StepBudget budget(config.step_work);
  commands_ = 0;
  steps_.OnStart({.reads = budget.reads.room(),
                  .commands = budget.apply.room(),
                  .forwards = budget.mutations.room(),
                  .answer_bytes = kShortBytesMax,
                  .sent_bytes = config.bulk_window_bytes_max + kShortBytesMax});
  limits_.OnStart({.batch_commands = config.replica.batch_commands_max,
                   .batch_bytes = config.replica.batch_bytes_max,
                   .forward_commands = config.forward_commands_max,
                   .forward_bytes = config.forward_bytes_max,
                   .chunk_bytes = config.chunk_bytes_min});
  repeats_.OnStart();
  led_by_.reset();
  auto node = std::make_unique<tracker::TrackerNode>(config);
  cluster_->judge().OnStart(config.replica.self);
  cluster_->lockstep().OnStart(config.replica.self, host.journal().durable());
  return node;
}

void TrackerAdaptor::Leaves(TrackerHost& host, NodeId to, const Slice& message) {
  if (const auto forwarded = Read<tracker::ForwardCommands>(message)) {
    for (const Slice& command : forwarded->commands) steps_.OnForwarded(command.size());
    limits_.OnForwarded(SizesOf(*forwarded));
  } else if (const auto replies = Read<tracker::ForwardReplies>(message)) {
    limits_.OnReplies(IdsOf(*replies));
  }
  JudgeRepeats(host, to, message);
  if (!IsReplicaMessage(message)) return;
  JudgeBeat(host, to, message);
  const NodeId node = NodeOf(host);
  if (const auto accept = ReadReplicas<paxos::Accept>(message))
    limits_.OnProposed(accept->slot, accept->value);
  cluster_->judge().OnTransmit(node, message.From(1));
  cluster_->lockstep().OnDurable(node, host.journal().durable());
  cluster_->lockstep().OnTransmit(node, to, message.From(1));
}

// Of a watermark what counts is that it says all that the leader knows: it has no more to say to one that
// lacks slots either.
void TrackerAdaptor::JudgeRepeats(TrackerHost& host, NodeId to, const Slice& message) {
  const tracker::Config& config = cluster_->config();
  if (host.machine() == nullptr) return;
  if (Read<tracker::AskReadIndex>(message)) {
    const paxos::Replica& replica = host.machine()->replica();
    const uint64_t changes = changes_of_leader_ + (replica.leader() == led_by_ ? 0 : 1);
    const uint64_t digest = HashBytes(message.view(), changes + (replica.ballot().round << 32));
    return repeats_.OnSaid(to, "question for a read", digest, host.now(), config.retry);
  }
  if (!IsReplicaMessage(message)) return;
  if (const auto watermark = ReadReplicas<paxos::Watermark>(message)) {
    if (watermark->chosen != host.machine()->replica().chosen()) return;
    repeats_.OnSaid(to, "watermark", HashBytes(message.view(), 0), host.now(), config.replica.retry);
  } else if (ReadReplicas<paxos::CatchUp>(message) || ReadReplicas<paxos::Prepare>(message)) {
    repeats_.OnSaid(to, "question for slots", HashBytes(message.view(), 0), host.now(), config.replica.retry);
  }
}

void TrackerAdaptor::Transmit(TrackerHost& host, NodeId to, const Slice& message) {
  Leaves(host, to, message);
  cluster_->Spoke(NodeOf(host));
  if (const auto chunk = Read<tracker::Chunk>(message))
    bulk_.OnSent(to, chunk->message, chunk->offset, host.now());
  steps_.OnSent(to, message.size());
  host.network().Send(host.index(), to.value() - 1, message);
}

void TrackerAdaptor::Writes(TrackerHost& host, const JournalWrite& write) {
  cluster_->lockstep().OnDurable(NodeOf(host), host.journal().durable());
  cluster_->lockstep().OnWrite(NodeOf(host), write.seq, write.type, write.body);
  cluster_->levels().OnWrite(host.index(), write);
}

void TrackerAdaptor::Deliver(TrackerHost& host, uint32_t from, const Slice& bytes) {
  if (from < cluster_->size()) {
    if (bytes.empty()) return host.Closed(NodeId(from + 1));
    if (const auto ack = Read<tracker::ChunkAck>(bytes))
      bulk_.OnAcknowledged(NodeId(from + 1), ack->message, ack->offset, ack->assembly, host.now());
    const std::optional<Slice> message = MessageIn(host, NodeId(from + 1), bytes);
    if (message && IsReplicaMessage(*message)) {
      JudgeBeaten(host, NodeId(from + 1), *message);
      cluster_->lockstep().OnDeliver(NodeOf(host), NodeId(from + 1), message->From(1));
    }
    return host.Receive(NodeId(from + 1), bytes);
  }
  absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
  if (!message.ok()) return host.world().Fail("a client's message does not decode");
  if (auto* ask = std::get_if<tracker_api::Ask>(&*message)) {
    const CallId call(++next_call_);
    calls_[call] = {from, ask->id, ReadsLinearizably(ask->request), QueryIn(ask->request)};
    answers_.OnCall(call, from, host.now(), tracker::LongestCrossing(bytes.size()));
    host.Call(call, tracker::Asked{std::move(ask->request), SourceOfEndpoint(from)});
  } else if (const auto* hang_up = std::get_if<tracker_api::Unreachable>(&*message)) {
    for (auto it = calls_.begin(); it != calls_.end(); ++it) {
      if (it->second.client != from || it->second.ask != hang_up->id) continue;
      const CallId call = it->first;
      calls_.erase(it);
      answers_.OnHungUp(call);
      return host.Cancel(call);
    }
  }
}

void TrackerAdaptor::Refuse(TrackerHost& host, uint32_t from, const Slice& bytes) {
  if (from < cluster_->size()) return;
  const absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
  if (!message.ok()) return;
  if (const auto* ask = std::get_if<tracker_api::Ask>(&*message)) {
    host.network().Send(host.index(), from,
                        EncodeEdge(tracker_api::Unreachable{ask->id, "connection refused"}));
  }
}

void TrackerAdaptor::Reply(TrackerHost& host, CallId call, tracker_api::Response& response) {
  answers_.OnReply(call, host.now());
  if (const auto asked = snapshots_.find(call); asked != snapshots_.end()) {
    if (response.outcome == tracker_api::Outcome::kOk) JudgeSnapshot(host, asked->second);
    snapshots_.erase(asked);
    return;
  }
  if (used_.erase(call) > 0 && response.outcome == tracker_api::Outcome::kOk) {
    return host.world().Fail("members: " + host.name() + " lets a node in under an id that was another's");
  }
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;  // hung up, or the operator's
  const Caller caller = std::move(found->second);
  calls_.erase(found);
  JudgeAnswer(host, caller.asked, response);
  if (caller.reads) steps_.OnRead(response);
  host.world().Trace(
      {.who = host.name(), .kind = TraceKind::kAnswer, .node = host.index(), .peer = caller.client},
      [&] { return TraceText(response); });
  const Slice answer = EncodeEdge(tracker_api::Answer{caller.ask, std::move(response)});
  steps_.OnAnswer(answer.size());
  host.network().Send(host.index(), caller.client, answer);
}

void TrackerAdaptor::Note(TrackerHost& host, const tracker::Protocol::Note& note) {
  const NodeId node = NodeOf(host);
  if (const auto* replica = std::get_if<paxos::Note>(&note)) {
    cluster_->judge().OnNote(node, *replica);
    cluster_->lockstep().OnDurable(node, host.journal().durable());
    cluster_->lockstep().OnNote(node, *replica);
    cluster_->availability().OnNote(node, *replica);
    if (const auto* members = std::get_if<paxos::MembersChanged>(replica)) {
      cluster_->OnMembers(members->membership);
    }
    if (std::holds_alternative<paxos::Forgot>(*replica) && !host.journal().damaged()) {
      host.world().Fail("memory: " + host.name() + " is told that it has forgotten, and its disk is whole: " +
                        TraceText(std::get<paxos::Forgot>(*replica)));
    }
    if (std::holds_alternative<paxos::Restored>(*replica)) {
      restored_ = true;
      host.world().Count(begins_ ? Fault::kBegunFromSnapshot : Fault::kTookSnapshot, {host.index()});
    }
  } else if (const auto* applied = std::get_if<tracker::Applied>(&note)) {
    cluster_->judge().OnApplied(node, applied->slot, applied->digest);
    cluster_->lockstep().OnApplied(node, applied->slot);
  } else if (const auto* carries = std::get_if<tracker::Carries>(&note)) {
    Leaves(host, carries->to, carries->message);
  } else if (const auto* unusable = std::get_if<tracker::Unusable>(&note)) {
    cluster_->levels().OnUnusable(host.index(), unusable->why, cluster_->lockstep().paxos().membership());
    cluster_->EndSoon(host.index());
  }
}

void TrackerAdaptor::AfterStep(TrackerHost& host) {
  answers_.OnStep(host.now());
  JudgeStep(host);
  if (!host.machine()->begun()) return;  // its replica is a blank one: what it knows it is still reading
  const Slot chosen = host.machine()->replica().chosen();
  if (std::exchange(led_by_, host.machine()->replica().leader()) != led_by_) ++changes_of_leader_;
  cluster_->lockstep().OnDurable(NodeOf(host), host.journal().durable());
  cluster_->lockstep().OnStep(NodeOf(host), host.machine()->replica());
  begins_ = false;
  JudgeDisk(host);
  if (chosen < chosen_) host.world().Fail("never goes back: the chosen prefix of " + host.name() + " shrank");
  chosen_ = chosen;
  cluster_->SawState(host.machine()->state());
  cluster_->levels().OnLevel(host.index(), host.machine()->registry().level(),
                             cluster_->lockstep().paxos().membership());
  if (host.machine()->counters().unreadable_snapshots > 0) {
    host.world().Fail("snapshot: " + host.name() + " was given one that it cannot read, and no tracker lies");
  }
  bulk_.OnStep(host.machine()->bulk().lost(), host.now());
  if (host.held() > kHeldMessagesMax)
    host.world().Fail("bounds: " + host.name() + " holds too many messages");
}

// Commands are counted one by one, and not by slots: a slot may be applied in several steps.
void TrackerAdaptor::JudgeStep(TrackerHost& host) {
  const tracker::StepBudget& work = host.machine()->work();
  const uint64_t applied = host.machine()->state().commands();
  if (!std::exchange(restored_, false)) steps_.OnApplied(applied - commands_);
  commands_ = applied;
  steps_.OnStep({.reads = work.reads.spent(), .commands = work.apply.spent()});
}

// What was answered before the step applied something is no answer of the state that is left behind it.
void TrackerAdaptor::JudgeAnswer(TrackerHost& host, const tracker_api::Request& asked,
                                 const tracker_api::Response& answer) {
  const tracker::TrackerNode& node = *host.machine();
  if (restored_ || !node.begun() || node.state().commands() != commands_) return;
  const auto* status = std::get_if<tracker_api::NodeStatus>(&answer.body);
  const std::string wrong =
      status != nullptr ? WrongStatus(*status, node) : WrongAnswer(asked, answer, node.registry());
  if (wrong.empty()) return;
  host.world().Fail(absl::StrFormat("answers: %s, asked %s, says %s, and %s", host.name(), TraceText(asked),
                                    TraceText(answer), wrong));
}

void TrackerAdaptor::Order(TrackerHost& host, tracker::Protocol::Request order) {
  const CallId call(++next_call_);
  answers_.OnCall(call, AnswerJudge::kOperator, host.now());
  if (IsUsed(order)) used_.insert(call);
  host.Call(call, std::move(order));
}

void TrackerAdaptor::OrderSnapshot(TrackerHost& host) {
  const CallId call(++next_call_);
  snapshots_[call] = cluster_->judge().chosen();
  answers_.OnCall(call, AnswerJudge::kOperator, host.now(), cluster_->config().snapshot_deadline);
  host.Call(call, tracker::TakeSnapshot{});
}

// It holds what was acknowledged to anybody before it was asked for, and is the state that all others had
// there.
void TrackerAdaptor::JudgeSnapshot(TrackerHost& host, Slot known) {
  host.world().Count(Fault::kSnapshotAsked, {host.index()});
  const paxos::Snapshot& snapshot = host.machine()->replica().snapshot();
  if (snapshot.prefix.slot < known) {
    return host.world().Fail("snapshot: " + host.name() +
                             " gives one that lacks what was chosen before it was asked");
  }
  if (snapshot.empty()) return;  // nothing was ever chosen
  const absl::StatusOr<tracker::ReplicatedState> state = tracker::ReadState(snapshot.parts);
  if (!state.ok()) return host.world().Fail("snapshot: " + std::string(state.status().message()));
  cluster_->judge().OnApplied(NodeOf(host), snapshot.prefix.slot, state->Digest());
}

void TrackerAdaptor::Ended(TrackerHost& host) {
  // The kernel closes the connections of a dead process.
  for (const auto& [call, caller] : calls_) {
    host.network().Send(host.index(), caller.client,
                        EncodeEdge(tracker_api::Unreachable{caller.ask, "connection reset"}));
  }
  calls_.clear();
  snapshots_.clear();
  used_.clear();
  answers_.OnEnded();
  cluster_->CloseLinks(host.index());
}

// One that was given stale bytes reads again.
void TrackerAdaptor::Refused(TrackerHost& host, const absl::Status& status) {
  const bool damage = absl::IsDataLoss(status) || absl::IsNotFound(status);
  if (damage && host.damaged()) cluster_->OnDamaged(host.index());
}

// --- TrackerCluster ---

TrackerCluster::TrackerCluster(World& world, Network& network, uint32_t count, const FaultPlan& plan,
                               uint32_t spares)
    : world_(world),
      first_members_(count),
      judge_(world),
      lockstep_(world, Members(count + spares), count),
      availability_(world, config_.replica),
      levels_(world, count + spares, count),
      closings_(world.Stream("closings")),
      repairs_(world.Stream("repairs")) {
  RandomStream rng = world.Stream("tracker config");
  config_ = DrawTrackerConfig(rng);
  config_.replica.members = Members(count);
  latency_max_ = plan.network.latency_max;
  stragglers_max_ = StragglersMax(plan);
  for (uint32_t i = 0; i < count + spares; ++i) {
    HostOptions options;
    options.name = absl::StrFormat("tracker-%d", i + 1);
    options.identity = {.cluster = 1, .node = NodeId(i + 1)};
    options.disk = plan.disk;
    options.clock = plan.clock;
    options.crash_while_writing_permille = plan.crash_while_writing_permille;
    options.needed_after = paxos::NeededRecords();
    hosts_.push_back(std::make_unique<TrackerHost>(world, network, nullptr, options,
                                                   TrackerAdaptor(this, world, options.name)));
    if (i < count) targets_.push_back(hosts_.back()->index());
  }
}

// An empty message is the end of a connection: the network delays, cuts and loses it like any other. It is
// not sent at all where power or the whole machine is lost.
void TrackerCluster::CloseLinks(uint32_t index) {
  if (!closings_.Chance(2, 3)) return;
  world_.Count(Fault::kClosedLinks, {index});
  for (const auto& host : hosts_) {
    if (host->index() != index) host->network().Send(index, host->index(), Slice());
  }
}

void TrackerCluster::UseConfig(tracker::Config config) {
  config.replica.members = std::move(config_.replica.members);
  config_ = std::move(config);
}

void TrackerCluster::Start() {
  for (const auto& host : hosts_) host->Start();
}

void TrackerCluster::StartMembers() {
  for (uint32_t index = 0; index < first_members_; ++index) hosts_[index]->Start();
}

std::vector<Process*> TrackerCluster::processes() const {
  std::vector<Process*> processes;
  for (const auto& host : hosts_) processes.push_back(host.get());
  return processes;
}

std::vector<Process*> TrackerCluster::DrawCore(RandomStream& rng) {
  core_ = processes();
  const size_t majority = core_.size() / 2 + 1;
  std::erase_if(core_, [](const Process* process) { return process->damaged(); });
  rng.Shuffle(core_);
  core_.resize(rng.Between(majority, core_.size()));
  targets_.clear();
  for (const Process* process : core_) targets_.push_back(process->index());
  ExpectAvailability();
  return core_;
}

void TrackerCluster::ExpectAvailability() {
  AvailabilityJudge::Healed healed{.latency_max = latency_max_, .stragglers_max = stragglers_max_};
  for (const Process* process : core_) {
    const TrackerHost& host = *hosts_[process->index()];
    const Slot chosen = host.alive() ? host.machine()->replica().chosen() : Slot(0);
    healed.core.push_back(NodeOf(host));
    healed.lag = std::max(healed.lag, judge_.chosen() - chosen);
  }
  healed.has_leader = [this] { return Led(); };
  availability_.OnHealed(std::move(healed));
  for (const Process* process : core_) {
    hosts_[process->index()]->adaptor().answers().ExpectPromptness(availability_.settled(),
                                                                   AvailabilityJudge::kPromptness);
  }
}

void TrackerCluster::LowerLimits(RandomStream& rng) {
  const uint32_t node = static_cast<uint32_t>(rng.Below(hosts_.size()));
  const uint32_t torrents = static_cast<uint32_t>(rng.Between(1, 6));
  const uint32_t names = static_cast<uint32_t>(rng.Between(1, 3));
  if (!hosts_[node]->alive()) return;
  tracker::Limits limits = hosts_[node]->machine()->registry().limits();
  limits.torrents = torrents;
  limits.names_per_content = names;
  OrderLimits(node, limits);
}

void TrackerCluster::OrderLimits(uint32_t node, tracker::Limits limits) {
  TrackerHost& host = *hosts_[node];
  if (!host.alive()) return;
  tracker::SetLimits order;
  order.replaces = host.machine()->registry().state().limits_version;
  order.limits = limits;
  limits_lowered_ = true;
  host.adaptor().Order(host, std::move(order));
}

void TrackerCluster::OrderSnapshot(RandomStream& rng) {
  TrackerHost& host = *hosts_[rng.Below(hosts_.size())];
  if (host.alive()) host.adaptor().OrderSnapshot(host);
}

bool TrackerCluster::limits_in_force() const {
  return std::any_of(hosts_.begin(), hosts_.end(), [](const auto& host) {
    return host->alive() && host->machine()->registry().state().limits_version > 0;
  });
}

bool TrackerCluster::Converged() const {
  for (const Process* process : core_) {
    const TrackerHost& host = *hosts_[process->index()];
    if (!host.alive()) return false;
    const tracker::TrackerNode& node = *host.machine();
    if (node.replica().chosen() != judge_.chosen() || node.applied() != judge_.chosen()) return false;
  }
  return Led();
}

TrackerHost* TrackerCluster::Leader() const {
  for (const Process* process : core_) {
    TrackerHost* host = hosts_[process->index()].get();
    if (host->alive() && host->machine()->replica().is_leader()) return host;
  }
  return nullptr;
}

bool TrackerCluster::Quiet() const {
  for (const Process* process : core_) {
    TrackerHost& host = *hosts_[process->index()];
    if (!host.alive() || host.held() > 0 || !host.adaptor().answers().idle()) return false;
    if (host.machine()->waiting() != tracker::Waiting()) return false;
  }
  return true;
}

std::string TrackerCluster::Situation() const {
  std::string text = absl::StrFormat("slot %d is known chosen;", judge_.chosen().value());
  for (const Process* process : core_) {
    const TrackerHost& host = *hosts_[process->index()];
    if (!host.alive()) {
      text += " " + host.name() + " is dead";
      continue;
    }
    const auto role = host.machine()->replica().role_name();
    text += absl::StrFormat(" %s is a %s at slot %d, with %d messages held and %s waiting;", host.name(),
                            std::string(role), host.machine()->replica().chosen().value(), host.held(),
                            TraceText(host.machine()->waiting()));
  }
  return text;
}

}  // namespace bt::sim
