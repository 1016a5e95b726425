#include "tests/core/paxos/cluster.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/base/fields.h"

namespace bt::paxos {
namespace {

std::string Text(Ballot ballot) { return absl::StrCat(ballot.round, ".", ballot.node.value()); }

struct Describer {
  std::string operator()(const PreVote& m) const { return absl::StrCat("PreVote ", Text(m.ballot)); }
  std::string operator()(const PreVoteReply& m) const {
    return absl::StrCat(m.granted ? "Yes " : "No ", Text(m.ballot));
  }
  std::string operator()(const Prepare& m) const {
    return absl::StrCat("Prepare ", Text(m.ballot), " from ", m.from.value());
  }
  std::string operator()(const Promise& m) const {
    std::string text = absl::StrCat("Promise ", Text(m.ballot), " chosen ", m.chosen.value());
    for (const AcceptedEntry& entry : m.entries) {
      absl::StrAppend(&text, " [", entry.slot.value(), " under ", Text(entry.ballot), "]");
    }
    if (m.next > Slot(0)) absl::StrAppend(&text, " more from ", m.next.value());
    return text;
  }
  std::string operator()(const Accept& m) const {
    return absl::StrCat("Accept ", Text(m.ballot), " @", m.slot.value(), " chosen ", m.chosen.value());
  }
  std::string operator()(const Accepted& m) const {
    return absl::StrCat("Accepted ", Text(m.ballot), " @", m.slot.value());
  }
  std::string operator()(const Rejected& m) const {
    return absl::StrCat("Rejected ", Text(m.ballot), " promised ", Text(m.promised));
  }
  std::string operator()(const Heartbeat& m) const {
    return absl::StrCat("Heartbeat ", Text(m.ballot), " #", m.beat, " chosen ", m.chosen.value());
  }
  std::string operator()(const HeartbeatReply& m) const {
    return absl::StrCat("Alive ", Text(m.ballot), " #", m.beat, " chosen ", m.chosen.value());
  }
  std::string operator()(const Watermark& m) const { return absl::StrCat("Chosen ", m.chosen.value()); }
  std::string operator()(const CatchUp& m) const { return absl::StrCat("CatchUp from ", m.from.value()); }
  std::string operator()(const CatchUpReply& m) const {
    return absl::StrCat("CatchUpReply ", m.from.value(), " +", m.values.size(), " chosen ", m.chosen.value());
  }
  std::string operator()(const AskSnapshot& m) const {
    return absl::StrCat("AskSnapshot ", m.slot.value(), " part ", m.part);
  }
  std::string operator()(const SnapshotPart& m) const {
    return absl::StrCat("SnapshotPart ", m.prefix.slot.value(), " part ", m.part, " of ", m.parts);
  }
  std::string operator()(const Presence& m) const { return absl::StrCat("Presence ", Text(m.ballot)); }
  std::string operator()(const StandNow& m) const { return absl::StrCat("StandNow ", Text(m.ballot)); }
};

struct Answerer {
  std::string operator()(const Proposed& r) const {
    return absl::StrCat("at ", r.slot.value(), "[", r.index, "]");
  }
  std::string operator()(const NotLeader& r) const {
    return r.leader ? absl::StrCat("not leader (", r.leader->value(), ")") : "not leader";
  }
  std::string operator()(const Busy&) const { return "busy"; }
  std::string operator()(const TooLarge&) const { return "too large"; }
  std::string operator()(const Noted&) const { return "noted"; }
  std::string operator()(const Refused& r) const { return r.why; }
  std::string operator()(const ReadReady& r) const { return absl::StrCat("read at ", r.slot.value()); }
};

}  // namespace

std::vector<JournalRecord> Needed(std::vector<JournalRecord> records) {
  NeededRecords needed_after;
  WriteSeq needed;
  for (const JournalRecord& record : records) needed = needed_after(record);
  std::erase_if(records, [&](const JournalRecord& record) { return record.seq < needed; });
  return records;
}

Config KeepNothing() {
  Config config;
  config.log_bytes_kept = 0;
  return config;
}

std::string Describe(const Envelope& envelope) {
  return absl::StrCat(envelope.from, ">", envelope.to, " ", std::visit(Describer(), envelope.message));
}

Cluster::Cluster(uint32_t size, uint64_t seed, Config config, bool start)
    : config_(std::move(config)), seed_(seed), rng_(Rng(seed).Fork("test")) {
  std::vector<NodeId> members;
  for (uint32_t node = 1; node <= size; ++node) members.push_back(NodeId(node));
  for (uint32_t node = 1; node <= size; ++node) {
    nodes_.push_back(std::make_unique<Node>(now_, Rng(seed).Fork("replica", node), members));
    if (start) Restart(node);
  }
}

uint32_t Cluster::Join() {
  const uint32_t id = size() + 1;
  nodes_.push_back(std::make_unique<Node>(now_, Rng(seed_).Fork("replica", id), std::vector<NodeId>()));
  Restart(id);
  return id;
}

void Cluster::Restart(uint32_t id) {
  Node& node = node_at(id);
  Config config = config_;
  config.self = NodeId(id);
  config.members = node.members;
  const std::vector<JournalRecord> records = Needed(Recoverable(id));
  const Snapshot snapshot = FindSnapshot(records);
  TakeUp(node, snapshot);
  node.runner = std::make_unique<ReplicaRunner>(std::make_unique<Replica>(config, snapshot), node.effects);
  node.stalled = false;
  Judged(id, [&](ReplicaRunner& runner) { runner.Start(records, WriteSeq(node.durable.size())); });
  if (replica(id).ballot() < node.durable_promise) Violate(absl::StrCat("node ", id, " forgot a promise"));
}

void Cluster::Crash(uint32_t id) {
  Node& node = node_at(id);
  node.runner.reset();
  node.effects.Clear();
}

void Cluster::LoseTail(uint32_t id, size_t count) {
  Node& node = node_at(id);
  CHECK(node.runner == nullptr && count <= node.durable.size());
  node.durable.resize(node.durable.size() - count);
  node.durable_promise = Ballot{};
}

std::vector<JournalRecord> Cluster::Recoverable(uint32_t id) {
  const Node& node = node_at(id);
  std::vector<JournalRecord> records = node.durable;
  std::erase_if(records, [&](const JournalRecord& record) { return record.seq < node.needed; });
  return records;
}

void Cluster::TakeUp(Node& node, const Snapshot& snapshot) {
  node.log.clear();
  for (const Slice& part : snapshot.parts) node.log += part.view();
  node.applied = snapshot.prefix.slot;
  node.stamp = snapshot.stamp;
}

void Cluster::Step(uint32_t id, Input<Protocol> input) {
  if (!running(id)) return;
  Judged(id, [&](ReplicaRunner& runner) { runner.Deliver(std::move(input)); });
}

void Cluster::Judged(uint32_t id, const std::function<void(ReplicaRunner&)>& action) {
  Node& node = node_at(id);
  Replica& replica = node.runner->machine();
  const Ballot before = replica.ballot();
  const Slot chosen_before = replica.chosen();
  action(*node.runner);
  (void)replica.Digest();
  if (replica.ballot() < before) Violate(absl::StrCat("node ", id, ": the promise went back"));
  if (replica.chosen() < chosen_before) Violate(absl::StrCat("node ", id, ": the watermark went back"));
  JudgeDecided(id);
  for (auto& sent : std::exchange(node.effects.sent, {})) {
    in_flight_.push_back({id, sent.to.value(), std::move(sent.message)});
  }
  for (auto& answer : std::exchange(node.effects.answers, {})) {
    if (!answers_.emplace(answer.call, answer.response).second) Violate("a call was answered twice");
  }
  for (const Note& note : std::exchange(node.effects.notes, {})) Judge(id, note);
  node.needed = std::max(node.needed, node.effects.needed);
  InstallArrived(id);
}

void Cluster::JudgeDecided(uint32_t id) {
  Node& node = node_at(id);
  for (const Decided& decided : replica(id).TakeDecided()) {
    if (decided.slot != node.applied.next()) Violate("decided with a gap or twice");
    if (decided.batch.stamp < node.stamp) Violate("log time went back");
    node.applied = decided.slot;
    node.stamp = decided.batch.stamp;
    if (decided.slot > Slot(1)) node.log += " | ";
    if (decided.batch.commands.empty()) node.log += "-";
    for (size_t i = 0; i < decided.batch.commands.size(); ++i) {
      if (i > 0) node.log += " ";
      node.log += decided.batch.commands[i].view();
    }
  }
}

void Cluster::InstallArrived(uint32_t id) {
  const Snapshot* arrived = running(id) ? replica(id).arrived() : nullptr;
  if (arrived == nullptr) return;
  if (arrived->prefix.slot <= node_at(id).applied) Violate("a snapshot of what is known already");
  TakeUp(node_at(id), *arrived);
  Step(id, Call<Protocol>{CallId(next_call_++), InstallSnapshot{true}});
}

void Cluster::Save(uint32_t id, size_t piece_bytes) {
  const Node& node = node_at(id);
  const std::string state = node.log;
  const SaveSnapshot save{.slot = node.applied, .stamp = node.stamp};
  for (size_t at = 0; at < state.size(); at += piece_bytes) {
    SaveSnapshot piece = save;
    piece.bytes = Slice::Copy(state.substr(at, piece_bytes));
    piece.last = at + piece_bytes >= state.size();
    Step(id, Call<Protocol>{CallId(next_call_++), std::move(piece)});
  }
}

void Cluster::Judge(uint32_t id, const Note& note) {
  if (const auto* chosen = std::get_if<Chosen>(&note)) {
    const auto [at, fresh] = chosen_.emplace(chosen->slot, std::pair(chosen->value, chosen->chain));
    if (!fresh && at->second != std::pair(chosen->value, chosen->chain)) {
      Violate(absl::StrCat("node ", id, " learned another value for slot ", chosen->slot.value()));
    }
  } else if (const auto* restored = std::get_if<Restored>(&note)) {
    const auto at = chosen_.find(restored->prefix.slot);
    if (at == chosen_.end() || at->second.second != restored->prefix.chain) {
      Violate(absl::StrCat("node ", id, " took up a snapshot of what was not chosen"));
    }
  } else if (const auto* proposing = std::get_if<Proposing>(&note)) {
    const auto [at, fresh] =
        proposed_.emplace(std::pair(proposing->ballot, proposing->slot), proposing->value);
    if (!fresh && at->second != proposing->value) {
      Violate(absl::StrCat("two values for slot ", proposing->slot.value(), " under ballot ",
                           Text(proposing->ballot)));
    }
  } else if (const auto* diverged = std::get_if<paxos::Diverged>(&note)) {
    node_at(id).diverged = absl::StrCat("slot ", diverged->slot.value(), ", node ", diverged->peer.value());
  } else if (const auto* forgot = std::get_if<paxos::Forgot>(&note)) {
    node_at(id).forgot = absl::StrCat("slot ", forgot->acknowledged.value(), " of round ", forgot->round,
                                      ", ends at ", forgot->held.value());
  } else if (const auto* leader = std::get_if<BecameLeader>(&note)) {
    if (!led_.emplace(leader->ballot, true).second) {
      Violate(absl::StrCat("ballot ", Text(leader->ballot), " was used for two elections"));
    }
  }
}

void Cluster::Violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void Cluster::SyncOnly(uint32_t id, size_t count) {
  Node& node = node_at(id);
  if (!running(id) || node.stalled || count == 0) return;
  std::vector<JournalWrite>& unsynced = node.effects.writes;
  for (size_t i = 0; i < count; ++i) {
    JournalWrite& write = unsynced[i];
    CHECK(write.seq.value() == node.durable.size() + 1);
    node.durable.push_back({write.seq, write.type, write.body});
  }
  unsynced.erase(unsynced.begin(), unsynced.begin() + static_cast<std::ptrdiff_t>(count));
  if (unsynced.empty()) node.durable_promise = replica(id).ballot();
  Judged(id, [&](ReplicaRunner& runner) { runner.Durable(WriteSeq(node.durable.size())); });
}

void Cluster::Sync(uint32_t id) { SyncOnly(id, unsynced(id)); }

void Cluster::Fire(uint32_t id, Timer timer) {
  auto& timers = node_at(id).runner->timers();
  CHECK_MSG(timers.armed(timer), "the timer is not armed");
  now_ = std::max(now_, timers.deadline(timer));
  timers.Disarm(timer);
  Step(id, TimerFired<Protocol>{timer});
}

bool Cluster::FireNext() {
  uint32_t first = 0;
  const auto next = [this](uint32_t id) { return node_at(id).runner->timers().Next(); };
  for (uint32_t id = 1; id <= size(); ++id) {
    if (!running(id) || node_at(id).stalled || next(id) == Instant::Never()) continue;
    if (first == 0 || next(id) < next(first)) first = id;
  }
  if (first == 0) return false;
  now_ = std::max(now_, next(first));
  Judged(first, [](ReplicaRunner& runner) { runner.FireDueTimers(); });
  return true;
}

size_t Cluster::Deliver(const Filter& filter) {
  std::vector<Envelope> taken;
  std::vector<Envelope> left;
  for (Envelope& envelope : in_flight_) {
    if (envelope.to == 0 || envelope.to > size()) continue;  // nobody is there
    (!node_at(envelope.to).stalled && filter(envelope) ? taken : left).push_back(std::move(envelope));
  }
  in_flight_ = std::move(left);
  for (const Envelope& envelope : taken) {
    Step(envelope.to, Received<Protocol>{NodeId(envelope.from), envelope.message});
  }
  return taken.size();
}

size_t Cluster::Lose(const Filter& filter) { return std::erase_if(in_flight_, filter); }

void Cluster::Settle() {
  for (bool moved = true; moved;) {
    moved = Deliver(Everything()) > 0;
    for (uint32_t id = 1; id <= size(); ++id) {
      if (!running(id) || node_at(id).stalled || unsynced(id) == 0) continue;
      Sync(id);
      moved = true;
    }
  }
}

std::string Cluster::InFlight() const {
  std::string text;
  for (const Envelope& envelope : in_flight_) {
    if (!text.empty()) text += "; ";
    text += Describe(envelope);
  }
  return text;
}

CallId Cluster::Propose(uint32_t node, std::string_view command) {
  const CallId call(next_call_++);
  Step(node, Call<Protocol>{call, paxos::Propose{Slice::Copy(command)}});
  return call;
}

CallId Cluster::Ask(uint32_t node, Request request) {
  const CallId call(next_call_++);
  Step(node, Call<Protocol>{call, std::move(request)});
  return call;
}

std::string Cluster::Members(uint32_t node) {
  const Membership& membership = replica(node).members().membership;
  std::string text;
  for (const Member& member : membership.members) {
    absl::StrAppend(&text, member.id.value(), member.kind == MemberKind::kLearner ? "?" : "");
    if (member.replaces != NodeId(0)) absl::StrAppend(&text, " for ", member.replaces.value());
    text += " ";
  }
  return absl::StrCat(text, "(", membership.version, ")");
}

CallId Cluster::Read(uint32_t node) {
  const CallId call(next_call_++);
  Step(node, Call<Protocol>{call, ReadIndex{}});
  return call;
}

std::string Cluster::Answer(CallId call) const {
  const auto found = answers_.find(call);
  return found == answers_.end() ? "" : std::visit(Answerer(), found->second);
}

void Cluster::UntilLeader(uint32_t node, const std::function<void()>& action) {
  for (int i = 0; i < 100 && !replica(node).is_leader(); ++i) action();
  CHECK_MSG(replica(node).is_leader(), "not elected");
}

void Cluster::Elect(uint32_t node) {
  Pass(Milliseconds(1000));  // nobody hears a leader any more
  for (uint32_t other = 1; other <= size(); ++other) {
    if (other == node || !running(other) || !replica(other).is_leader() || node_at(other).stalled) continue;
    Fire(other, Timer::kHeartbeat);  // nor does the leader hear a quorum
  }
  Fire(node, Timer::kElection);
  Settle();
  CHECK_MSG(replica(node).is_leader(), "not elected");
}

Cluster::Filter To(uint32_t node) {
  return [node](const Envelope& envelope) { return envelope.to == node; };
}
Cluster::Filter From(uint32_t node) {
  return [node](const Envelope& envelope) { return envelope.from == node; };
}
Cluster::Filter Between(uint32_t from, uint32_t to) {
  return [from, to](const Envelope& envelope) { return envelope.from == from && envelope.to == to; };
}
Cluster::Filter Everything() {
  return [](const Envelope&) { return true; };
}

}  // namespace bt::paxos
