#include "sim/scenarios/registry_client.h"

#include <absl/strings/str_format.h>

#include <utility>

namespace bt::sim {

using tracker_api::Outcome;

RegistryClient::RegistryClient(World& world, Network& network, TrackerCluster& cluster,
                               RegistryHistory& history, ClaimsJudge& claims, RegistryWorkload workload)
    : world_(world),
      network_(network),
      cluster_(cluster),
      history_(history),
      claims_(claims),
      workload_(workload),
      index_(network.Attach(this)),
      rng_(world.Stream("registry client", index_)),
      nobodies_(world.Stream("addresses of nobody", index_)),
      sessions_(world, index_, workload.sessions) {
  NewSession();
}

Address RegistryClient::AddressAt(uint16_t port) const {
  return Address::V4(10, 1, 0, static_cast<uint8_t>(index_), port);
}

Address RegistryClient::Nobody() {
  switch (nobodies_.Below(3)) {
    case 0:
      return AddressAt(0);
    case 1:
      return Address::V4(0, 0, 0, 0, 6881);
    default: {
      Address unspecified;  // of version 6
      unspecified.port = 6881;
      return unspecified;
    }
  }
}

void RegistryClient::NewSession() {
  session_ = SessionId(rng_.Next() | 1);
  sequence_ = 0;
  last_.reset();
  before_last_.reset();
  sessions_.Begin();
}

void RegistryClient::After(Duration delay, Kind kind, uint64_t detail) {
  world_.After(delay, this, Packed{kind, 0, detail}.packed());
}

void RegistryClient::Begin() {
  operations_left_ = workload_.operations;
  After(rng_.Between(Duration{0}, workload_.think_max), Kind::kNext);
}

// --- what it is told to do after healing ---

void RegistryClient::Queue(Op op) {
  queued_.push_back(std::move(op));
  if (!op_.has_value() && queued_.size() == 1) After(Duration{0}, Kind::kNext);
}

void RegistryClient::Verify() {
  for (const auto& [name, content] : history_.bindings()) Queue(BindingFetch(name, content));
  for (const ClaimsJudge::Key& key : claims_.keys()) {
    if (key.client == index_) Queue(ClaimLookup(key.content));
  }
  Op list{.what = What::kList};
  list.request = tracker_api::List{"", static_cast<uint32_t>(rng_.Between(1, 4)), true};
  Queue(std::move(list));
}

void RegistryClient::Repeat() {
  if (before_last_.has_value()) {
    Queue(Repetition(*before_last_, true));
    queued_.back().verifies = true;
  }
  if (!last_.has_value()) return;
  Queue(Repetition(*last_, false));
  queued_.back().verifies = true;
}

void RegistryClient::AnnounceLast() {
  const auto bound = history_.bindings().find(kHashedName);
  if (bound == history_.bindings().end()) return;
  Op op{.what = What::kAnnounce, .content = bound->second, .verifies = true};
  tracker_api::Announce announce{.info_hash = TestInfoHash(bound->second), .peer = announcer()};
  announce.left = rng_.Below(2);
  announce.event =
      rng_.Chance(1, 3) ? tracker_api::AnnounceEvent::kStopped : tracker_api::AnnounceEvent::kStarted;
  op.request = announce;
  Queue(std::move(op));
}

void RegistryClient::LookForIt() {
  if (announced_.has_value()) Queue(ClaimLookup(history_.bindings().at(kHashedName)));
}

std::string RegistryClient::Situation() const {
  if (!op_.has_value()) return absl::StrFormat("client %d waits", index_);
  return absl::StrFormat("client %d has tried %d times: %s", index_, next_ask_ - first_ask_ + 1,
                         TraceText(op_->request));
}

// --- operations ---

RegistryClient::Op RegistryClient::Repetition(const Known& known, bool stale) const {
  Op op{.what = What::kRepeat};
  op.request = known.request;
  op.known = known.outcome;
  op.stale = stale;
  return op;
}

RegistryClient::Op RegistryClient::DrawOp() {
  if (rng_.Chance(workload_.churn_percent, 100)) NewSession();
  if (last_.has_value() && rng_.Chance(1, 20)) {
    const bool stale = before_last_.has_value() && rng_.Chance(1, 2);
    return Repetition(stale ? *before_last_ : *last_, stale);
  }
  Op op = DrawOperation(rng_, history_, workload_.names, asker());
  if (sequence_ == 0 && op.mutates()) op = DrawRegistration(rng_, history_, workload_.names, asker());
  // Without a session: the node that is asked supplies one.
  if (op.what == What::kRegister && rng_.Chance(1, 8)) std::get<tracker_api::Register>(op.request).id = {};
  return op;
}

void RegistryClient::StartOp(Op op) {
  op_ = std::move(op);
  if (op_->what == What::kRegister && !op_->malformed && !op_->contradicts) {
    op_->history = history_.BeginRegister(index_, op_->name, op_->content);
  } else if (op_->what == What::kFetch && op_->linearizable && !op_->name.empty()) {
    op_->history = history_.BeginFetch(index_, op_->name);
  } else if (op_->what == What::kList) {
    walk_.emplace(world_, history_);
  }
  op_asked_ = cluster_.log_time();
  op_asked_session_time_ = cluster_.session_time();
  first_ask_ = next_ask_ + 1;
  world_.Trace({.who = "client", .kind = TraceKind::kOperation, .node = index_},
               [&] { return absl::StrFormat("%d begins an operation", index_); });
  Attempt();
}

void RegistryClient::Attempt() {
  const auto& targets = cluster_.targets();
  asked_ = targets[rng_.Below(targets.size())];
  const uint64_t id = ++next_ask_;
  world_.Trace({.who = "client", .node = index_, .peer = asked_, .number = id}, [&] {
    return absl::StrFormat("%d asks tracker-%d (%d): %s", index_, asked_ + 1, id, TraceText(op_->request));
  });
  tracker_api::Request request = op_->request;
  if (workload_.edge != nullptr) {
    auto translated = workload_.edge->Ask(op_->request);
    if (const auto* refused = std::get_if<tracker_api::Response>(&translated)) return Received(id, *refused);
    request = std::get<tracker_api::Request>(std::move(translated));
  }
  network_.Send(index_, asked_, Slice::Own(Encode(EdgeMessage(tracker_api::Ask{id, std::move(request)}))));
  const Duration patience = rng_.Chance(1, 25) ? rng_.Between(Duration{0}, Milliseconds(20))
                                               : rng_.Between(Milliseconds(200), Seconds(6));
  After(patience, Kind::kTimeout, id);
}

void RegistryClient::Retry() {
  After(rng_.Between(Milliseconds(1), Milliseconds(300)), Kind::kRetry, next_ask_);
}

void RegistryClient::Finish() {
  op_.reset();
  walk_.reset();
  After(rng_.Between(Duration{0}, workload_.think_max), Kind::kNext);
}

void RegistryClient::Fire(uint64_t argument) {
  const auto [kind, unused, detail] = Packed::From(argument);
  switch (kind) {
    case Kind::kNext:
      if (op_.has_value()) return;
      if (!queued_.empty()) {
        Op op = std::move(queued_.front());
        queued_.pop_front();
        StartOp(std::move(op));
      } else if (operations_left_ > 0) {
        --operations_left_;
        StartOp(DrawOp());
      }
      return;
    case Kind::kTimeout:
      if (!op_.has_value() || detail != next_ask_) return;
      if (rng_.Chance(1, 2)) {
        network_.Send(index_, asked_,
                      Slice::Own(Encode(EdgeMessage(tracker_api::Unreachable{detail, "hung up"}))));
      }
      Attempt();
      return;
    case Kind::kRetry:
      if (op_.has_value() && detail == next_ask_) Attempt();
      return;
  }
}

void RegistryClient::Deliver(uint32_t, const Slice& bytes) {
  const absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
  if (!message.ok()) return world_.Fail("a tracker's answer does not decode");
  if (const auto* answer = std::get_if<tracker_api::Answer>(&*message)) {
    // Any attempt's answer will do, also one that comes after the next attempt went out.
    if (!op_.has_value() || answer->id < first_ask_ || answer->id > next_ask_) return;
    Received(answer->id, workload_.edge == nullptr ? answer->response
                                                   : workload_.edge->Answer(op_->request, answer->response));
  } else if (const auto* unreachable = std::get_if<tracker_api::Unreachable>(&*message)) {
    if (op_.has_value() && unreachable->id == next_ask_) Retry();
  }
}

void RegistryClient::Received(uint64_t ask, const tracker_api::Response& response) {
  if (response.outcome == Outcome::kSessionExpired) return OnSessionExpired();
  if (!LeftNoTrace(response.outcome)) return OnAnswer(response);
  if (op_->what == What::kAnnounce || op_->what == What::kScrape || op_->what == What::kStatus) {
    return world_.Fail("answers: what every node can answer alone was refused for want of a quorum");
  }
  if (ask == next_ask_) Retry();
}

}  // namespace bt::sim
