#pragma once

// Cluster: tracker nodes in one thread of a test, with explicit faults. Messages pass through the codec
// and take a millisecond; writes are durable after one too. Nodes can be crashed (they keep what was
// durable), restarted and cut off from each other. No randomness but the nodes' own.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <iterator>
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
#include "tests/support/vector_surroundings.h"

namespace bt::tracker {

class Cluster {
 public:
  using Outcome = tracker_api::Outcome;
  using Response = tracker_api::Response;

  explicit Cluster(uint32_t size, Config base = Config()) : base_(std::move(base)) {
    for (uint32_t i = 1; i <= size; ++i)
      base_.replica.members.resize(size), base_.replica.members[i - 1] = NodeId(i);
    for (uint32_t i = 0; i < size; ++i) processes_.push_back(std::make_unique<Process>(now_));
    for (uint32_t i = 0; i < size; ++i) Restart(i);
  }

  // --- faults; nodes are numbered from 0 ---

  void Crash(size_t node) {
    Process& process = *processes_[node];
    process.runner.reset();
    process.effects.Clear();
    ++process.life;
  }
  void Restart(size_t node) {
    Process& process = *processes_[node];
    CHECK(process.runner == nullptr);
    Config config = base_;
    config.replica.self = NodeId(static_cast<uint32_t>(node) + 1);
    if (const auto own = levels.find(node); own != levels.end()) config.levels = own->second;
    process.runner =
        std::make_unique<NodeRunner>(std::make_unique<TrackerNode>(std::move(config)), process.effects);
    // A restarted host's generator starts alike: nodes must not rely on it alone.
    process.effects.random = Rng(node);
    process.effects.stepped = [this, node] {
      if (stepped) stepped(node);
    };
    const WriteSeq last = process.journal.empty() ? WriteSeq(0) : process.journal.back().seq;
    Run(node, [&](NodeRunner& runner) { runner.Start(process.journal, last); });
  }
  void Cut(size_t a, size_t b) { cut_.insert({std::min(a, b), std::max(a, b)}); }
  void Isolate(size_t node) {
    for (size_t other = 0; other < processes_.size(); ++other) {
      if (other != node) Cut(node, other);
    }
  }
  void Heal() { cut_.clear(); }
  // Its journal's syncs do not return, until they do.
  void HangDisk(size_t node) { processes_[node]->hangs = true; }
  void ReleaseDisk(size_t node) {
    processes_[node]->hangs = false;
    Sync(node, std::exchange(processes_[node]->unsynced, {}));
  }

  // --- calls ---

  CallId Ask(size_t node, Protocol::Request request) {
    const CallId call(++last_call_);
    asked_[call] = now_;
    Step(node, Call<Protocol>{call, std::move(request)});
    return call;
  }
  CallId Ask(size_t node, tracker_api::Request request, Source source = {}) {
    return Ask(node, Protocol::Request(Asked{std::move(request), source}));
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
  Response Do(size_t node, Protocol::Request request) { return Await(Ask(node, std::move(request))); }
  Response Do(size_t node, tracker_api::Request request, Source source = {}) {
    return Await(Ask(node, std::move(request), source));
  }

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
      if (processes_[i]->runner == nullptr || !node(i).replica().is_leader()) continue;
      if (!leader || node(*leader).replica().ballot() < node(i).replica().ballot()) leader = i;
    }
    return leader;
  }
  size_t AFollower(size_t leader) const { return leader == 0 ? 1 : 0; }

  const TrackerNode& node(size_t index) const { return processes_[index]->runner->machine(); }
  Instant now() const { return now_; }
  uint64_t steps(size_t index) const { return processes_[index]->steps; }
  // What the programs of these nodes read, from their next start on; of the others: what `base` says.
  std::map<size_t, LevelRange> levels;
  // Called for each message before it is sent; false drops it.
  std::function<bool(size_t from, size_t to, const Protocol::Message&)> filter;
  // Called after each step of a node.
  std::function<void(size_t node)> stepped;
  std::map<std::string, uint64_t> sent;  // by kind: "paxos", "forward", "replies", ...

 private:
  struct Effects : VectorSurroundings<Protocol> {
    using VectorSurroundings::VectorSurroundings;
    void StepEnds(const Input<Protocol>&) {
      if (stepped) stepped();
    }
    std::function<void()> stepped;
  };
  using NodeRunner = Runner<TrackerNode, Effects>;
  struct Process {
    explicit Process(const Instant& clock) : effects(clock, Rng(0)) {}

    Effects effects;
    std::unique_ptr<NodeRunner> runner;
    std::vector<JournalRecord> journal;  // durable
    uint64_t life = 0;
    uint64_t steps = 0;
    bool hangs = false;
    std::vector<JournalWrite> unsynced;  // while it hangs
  };

  void Schedule(Duration delay, std::function<void()> action) {
    events_.emplace(now_ + delay, std::move(action));
  }

  void Step(size_t index, Input<Protocol> input) {
    Run(index, [&](NodeRunner& runner) { runner.Deliver(std::move(input)); });
  }

  // Runs a live node as `action` says and starts what it did on its way.
  void Run(size_t index, const std::function<void(NodeRunner&)>& action) {
    Process& process = *processes_[index];
    if (process.runner == nullptr) return;
    ++process.steps;
    action(*process.runner);
    auto& effects = process.effects;
    if (!effects.writes.empty()) Sync(index, std::exchange(effects.writes, {}));
    for (auto& sent : std::exchange(effects.sent, {})) Send(index, sent.to.value() - 1, sent.message);
    for (auto& answer : std::exchange(effects.answers, {})) {
      EXPECT_TRUE(replies_.emplace(answer.call, std::move(answer.response)).second) << "answered twice";
    }
    effects.notes.clear();
  }

  void Sync(size_t index, std::vector<JournalWrite> writes) {
    const uint64_t life = processes_[index]->life;
    if (processes_[index]->hangs) {
      std::move(writes.begin(), writes.end(), std::back_inserter(processes_[index]->unsynced));
      return;
    }
    if (writes.empty()) return;
    Schedule(Milliseconds(1), [this, index, life, writes = std::move(writes)] {
      Process& process = *processes_[index];
      if (process.life != life) return;
      for (const JournalWrite& write : writes) process.journal.push_back({write.seq, write.type, write.body});
      Run(index, [&](NodeRunner& runner) { runner.Durable(process.journal.back().seq); });
    });
  }

  void Send(size_t from, size_t to, const Protocol::Message& message) {
    ++sent[Kind(message)];
    if (filter && !filter(from, to, message)) return;
    const auto cut = [this, from, to] { return cut_.contains({std::min(from, to), std::max(from, to)}); };
    if (cut()) return;
    Schedule(Milliseconds(1), [this, from, to, cut, bytes = Slice::Own(Encode(message))] {
      if (cut()) return;
      auto decoded = Decode<Protocol::Message>(bytes);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      Step(to, Received<Protocol>{NodeId(static_cast<uint32_t>(from) + 1), *std::move(decoded)});
    });
  }

  static const char* Kind(const Protocol::Message& message) {
    constexpr const char* kKinds[] = {"paxos",       "forward",      "replies",    "ask_read",  "read_index",
                                      "order",       "order_answer", "chunk",      "chunk_ack", "tell_room",
                                      "tell_levels", "ship_value",   "value_held", "abridged"};
    return kKinds[message.index()];
  }

  // The next event or timer no later than `limit`.
  bool StepOnce(Instant limit) {
    Instant next = events_.empty() ? Instant::Never() : events_.begin()->first;
    std::optional<size_t> timer;
    for (size_t i = 0; i < processes_.size(); ++i) {
      if (processes_[i]->runner == nullptr) continue;
      const Instant at = std::max(processes_[i]->runner->timers().Next(), now_);
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
      Run(*timer, [](NodeRunner& runner) { runner.FireDueTimers(); });
    } else {
      const auto action = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      action();
    }
    return true;
  }

  Config base_;
  Instant now_{};
  std::vector<std::unique_ptr<Process>> processes_;
  std::multimap<Instant, std::function<void()>> events_;
  std::set<std::pair<size_t, size_t>> cut_;
  std::map<CallId, Instant> asked_;
  std::map<CallId, Response> replies_;
  uint64_t last_call_ = 0;
};

}  // namespace bt::tracker
