#pragma once

// Cluster: tracker nodes in one thread of a test, with explicit faults. Messages pass through the codec
// and take a millisecond; writes are durable after one too. Nodes can be crashed (they keep what was
// durable), restarted and cut off from each other. No randomness but the nodes' own.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fields.h"
#include "core/tracker/node.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {

class Cluster {
 public:
  using Outcome = tracker_api::Outcome;
  using Response = tracker_api::Response;

  explicit Cluster(uint32_t size, Config base = Config()) : base_(std::move(base)) {
    for (uint32_t i = 1; i <= size; ++i)
      base_.replica.members.resize(size), base_.replica.members[i - 1] = NodeId(i);
    processes_.resize(size);
    for (uint32_t i = 0; i < size; ++i) Restart(i);
  }

  // --- faults; nodes are numbered from 0 ---

  void Crash(size_t node) {
    Process& process = processes_[node];
    process.node.reset();
    ++process.life;
  }
  void Restart(size_t node) {
    Process& process = processes_[node];
    CHECK(process.node == nullptr);
    Config config = base_;
    config.replica.self = NodeId(static_cast<uint32_t>(node) + 1);
    process.node = std::make_unique<TrackerNode>(config);
    const WriteSeq last = process.journal.empty() ? WriteSeq(0) : process.journal.back().seq;
    process.out = std::make_unique<Outbox<Protocol>>(last);
    process.durable = last;
    process.rng = Rng(node);  // a restarted host's generator starts alike: nodes must not rely on it alone
    Step(node, Started{process.journal});
  }
  void Cut(size_t a, size_t b) { cut_.insert({std::min(a, b), std::max(a, b)}); }
  void Isolate(size_t node) {
    for (size_t other = 0; other < processes_.size(); ++other) {
      if (other != node) Cut(node, other);
    }
  }
  void Heal() { cut_.clear(); }

  // --- calls ---

  CallId Ask(size_t node, tracker_api::Request request) {
    const CallId call(++last_call_);
    asked_[call] = now_;
    Step(node, Call<Protocol>{call, std::move(request)});
    return call;
  }
  void Cancel(size_t node, CallId call) { Step(node, CallCancelled{call}); }
  const Response* Reply(CallId call) const {
    const auto found = replies_.find(call);
    return found == replies_.end() ? nullptr : &found->second;
  }
  // Runs until the call is answered; fails the test when that takes longer than a node may.
  Response Await(CallId call) {
    const Instant limit = asked_.at(call) + Milliseconds(5200);
    EXPECT_TRUE(RunUntil([&] { return Reply(call) != nullptr; }, limit)) << "a call hangs";
    return Reply(call) == nullptr ? Response{} : *Reply(call);
  }
  Response Do(size_t node, tracker_api::Request request) { return Await(Ask(node, std::move(request))); }

  // --- time ---

  // False when `limit` came first.
  bool RunUntil(const std::function<bool()>& done, Instant limit) {
    while (!done()) {
      if (!StepOnce(limit)) return done();
    }
    return true;
  }
  void RunFor(Duration duration) {
    const Instant limit = now_ + duration;
    while (StepOnce(limit)) {
    }
    now_ = limit;
  }
  // Until a live node leads and hears its quorum; its number.
  size_t AwaitLeader() {
    EXPECT_TRUE(RunUntil([&] { return Leader().has_value(); }, now_ + Seconds(10)));
    return Leader().value_or(0);
  }
  std::optional<size_t> Leader() const {
    std::optional<size_t> leader;
    for (size_t i = 0; i < processes_.size(); ++i) {
      const TrackerNode* node = processes_[i].node.get();
      if (node == nullptr || !node->replica().is_leader()) continue;
      if (!leader || processes_[*leader].node->replica().ballot() < node->replica().ballot()) leader = i;
    }
    return leader;
  }
  size_t AFollower(size_t leader) const { return leader == 0 ? 1 : 0; }

  TrackerNode& node(size_t index) { return *processes_[index].node; }
  Instant now() const { return now_; }
  uint64_t steps(size_t index) const { return processes_[index].steps; }
  // Called for each message before it is sent; false drops it.
  std::function<bool(size_t from, size_t to, const Protocol::Message&)> filter;
  std::map<std::string, uint64_t> sent;  // by kind: "paxos", "forward", "replies", ...

 private:
  struct Process {
    std::unique_ptr<TrackerNode> node;
    std::unique_ptr<Outbox<Protocol>> out;
    std::vector<JournalRecord> journal;  // durable
    WriteSeq durable;
    std::vector<std::pair<WriteSeq, std::function<void()>>> held;
    Rng rng{0};
    uint64_t life = 0;
    uint64_t steps = 0;
  };

  void Schedule(Duration delay, std::function<void()> action) {
    events_.emplace(now_ + delay, std::move(action));
  }

  void Step(size_t index, const Input<Protocol>& input) {
    Process& process = processes_[index];
    if (process.node == nullptr) return;
    ++process.steps;
    Context<Protocol> context{now_, process.rng, *process.out};
    process.node->Step(input, context);
    process.node->CheckInvariants();
    Execute(index);
  }

  void Execute(size_t index) {
    Process& process = processes_[index];
    auto writes = std::move(process.out->writes);
    auto sends = std::move(process.out->sends);
    auto replies = std::move(process.out->replies);
    process.out->Clear();
    const uint64_t life = process.life;
    if (!writes.empty()) {
      Schedule(Milliseconds(1), [this, index, life, writes = std::move(writes)]() mutable {
        Process& process = processes_[index];
        if (process.life != life) return;
        for (JournalWrite& write : writes) process.journal.push_back({write.seq, write.type, write.body});
        process.durable = process.journal.back().seq;
        auto held = std::exchange(process.held, {});
        for (auto& [after, action] : held) {
          if (after <= process.durable) {
            action();
          } else {
            process.held.push_back({after, std::move(action)});
          }
        }
        Step(index, WriteDone{process.durable});
      });
    }
    for (auto& send : sends) {
      const size_t to = send.to.value() - 1;
      ++sent[Kind(send.message)];
      if (filter && !filter(index, to, send.message)) continue;
      auto deliver = [this, index, to, bytes = Slice::Own(Encode(send.message))] {
        if (cut_.contains({std::min(index, to), std::max(index, to)})) return;
        Schedule(Milliseconds(1), [this, index, to, bytes] {
          if (cut_.contains({std::min(index, to), std::max(index, to)})) return;
          auto message = Decode<Protocol::Message>(bytes);
          ASSERT_TRUE(message.ok()) << message.status();
          Step(to, Received<Protocol>{NodeId(static_cast<uint32_t>(index) + 1), *std::move(message)});
        });
      };
      if (send.after <= process.durable) {
        deliver();
      } else {
        process.held.push_back({send.after, deliver});
      }
    }
    for (auto& reply : replies) {
      EXPECT_TRUE(replies_.emplace(reply.call, std::move(reply.response)).second) << "answered twice";
    }
  }

  static const char* Kind(const Protocol::Message& message) {
    constexpr const char* kKinds[] = {"paxos", "forward", "replies", "ask_read", "read_index"};
    return kKinds[message.index()];
  }

  // The next event or timer no later than `limit`.
  bool StepOnce(Instant limit) {
    Instant next = events_.empty() ? Instant::Never() : events_.begin()->first;
    std::optional<size_t> timer;
    for (size_t i = 0; i < processes_.size(); ++i) {
      if (processes_[i].node == nullptr) continue;
      const Instant at = std::max(processes_[i].out->timers.Next(), now_);
      if (at < next) {
        next = at;
        timer = i;
      }
    }
    if (next > limit || next == Instant::Never()) {
      now_ = std::max(now_, limit);
      return false;
    }
    now_ = std::max(now_, next);
    if (timer) {
      Step(*timer, TimerFired<Protocol>{*processes_[*timer].out->timers.PopDue(now_)});
    } else {
      const auto action = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      action();
    }
    return true;
  }

  Config base_;
  Instant now_{};
  std::vector<Process> processes_;
  std::multimap<Instant, std::function<void()>> events_;
  std::set<std::pair<size_t, size_t>> cut_;
  std::map<CallId, Instant> asked_;
  std::map<CallId, Response> replies_;
  uint64_t last_call_ = 0;
};

}  // namespace bt::tracker
