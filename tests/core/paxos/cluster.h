#pragma once

// A cluster of replicas in a jar: nothing moves unless the test says so. Messages wait in a list until
// they are delivered or lost, writes wait until they are synced or lost, timers until they are fired. The
// state above each replica is the text of its log; snapshots of it that arrive are taken up at once. Every
// step is judged: one value per slot, one value per (ballot, slot), promises that never go back.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/machine/machine.h"
#include "core/paxos/replica.h"
#include "tests/support/vector_surroundings.h"

namespace bt::paxos {

struct Envelope {
  uint32_t from = 0;
  uint32_t to = 0;
  Message message;
};

// "1>2 Accept 1.1 @3": sender, receiver, message, ballot as round.node, slot.
std::string Describe(const Envelope& envelope);

// What a recovery that passes over needless records gives of these (NeededRecords).
std::vector<JournalRecord> Needed(std::vector<JournalRecord> records);

// Of replicas that cut their log as far as a snapshot reaches.
Config KeepNothing();

class Cluster {
 public:
  using Timer = Protocol::Timer;
  using Filter = std::function<bool(const Envelope&)>;

  // Nodes 1..size, started and empty, unless `start` is false.
  explicit Cluster(uint32_t size, uint64_t seed = 1, Config config = {}, bool start = true);

  // --- time and faults, all by hand ---
  void Fire(uint32_t node, Timer timer);  // at its deadline; CHECKs that it is armed
  bool FireNext();                        // the earliest timer of all running nodes
  void Pass(Duration duration) { now_ = now_ + duration; }
  void Sync(uint32_t node);                    // everything written is durable; what waited for it is sent
  void SyncOnly(uint32_t node, size_t count);  // only the first `count` writes are
  void Crash(uint32_t node);                   // unsynced writes and held messages are gone
  void Restart(uint32_t node);
  // The last `count` durable records of a node that is down are gone, without a sign.
  void LoseTail(uint32_t node, size_t count);
  // A node that is no member, and knows none; its id.
  uint32_t Join();
  // `node` sees that its connection from `peer` is closed.
  void Close(uint32_t node, uint32_t peer) { Step(node, PeerClosed{NodeId(peer)}); }
  void Stall(uint32_t node) { node_at(node).stalled = true; }  // its messages wait in the list
  void Resume(uint32_t node) { node_at(node).stalled = false; }

  // --- messages ---
  size_t Deliver(const Filter& filter);  // those in the list now that match, in order; how many
  size_t Lose(const Filter& filter);
  void Inject(Envelope envelope) { in_flight_.push_back(std::move(envelope)); }
  // Delivers and syncs until nothing is left to do; no timer fires.
  void Settle();
  // The messages in the list, "; " between them.
  std::string InFlight() const;
  // The members as the node knows them: "1 2 4? for 3 (2)": 4 is a learner and shall replace 3; version 2.
  std::string Members(uint32_t node);
  std::vector<Envelope>& in_flight() { return in_flight_; }

  // --- requests ---
  CallId Propose(uint32_t node, std::string_view command);
  CallId Read(uint32_t node);
  CallId Ask(uint32_t node, Request request);
  // "at 3[0]", "not leader (2)", "busy", "too large", "read at 3", "noted", the reason of a refusal, or ""
  // when there is no answer yet.
  std::string Answer(CallId call) const;

  // Gives the replica the snapshot of its log as it is, in pieces of so many bytes.
  void Save(uint32_t node, size_t piece_bytes = 1 << 20);

  // --- looking in ---
  // Repeats `action` until `node` leads; CHECKs that it comes to that.
  void UntilLeader(uint32_t node, const std::function<void()>& action);
  // Elects `node` and settles.
  void Elect(uint32_t node);
  Replica& replica(uint32_t node) { return node_at(node).runner->machine(); }
  bool running(uint32_t node) { return node_at(node).runner != nullptr; }
  Instant now() const { return now_; }
  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  size_t unsynced(uint32_t node) { return node_at(node).effects.writes.size(); }
  const std::vector<JournalRecord>& durable(uint32_t node) { return node_at(node).durable; }
  bool armed(uint32_t node, Timer timer) { return node_at(node).runner->timers().armed(timer); }
  // The chosen prefix as this life of the node has delivered it, by snapshot or slot by slot: "a | b c | -",
  // slots separated by bars.
  std::string Log(uint32_t node) { return node_at(node).log; }
  // The records that a restart would be given: those that were not forgotten.
  std::vector<JournalRecord> Recoverable(uint32_t node);
  // "slot 3, node 1": where and with whom the node said it had diverged; "" if it did not.
  std::string Diverged(uint32_t node) { return node_at(node).diverged; }
  // "slot 3 of round 1, ends at 2": what the node said it had forgotten; "" if it did not.
  std::string Forgot(uint32_t node) { return node_at(node).forgot; }
  // What was wrong, if anything ever was.
  const std::string& violation() const { return violation_; }

 private:
  using ReplicaRunner = Runner<Replica, VectorSurroundings<Protocol>>;
  struct Node {
    Node(const Instant& clock, Rng rng, std::vector<NodeId> first)
        : effects(clock, rng), members(std::move(first)) {}

    VectorSurroundings<Protocol> effects;  // its writes are those not synced yet
    std::unique_ptr<ReplicaRunner> runner;
    std::vector<NodeId> members;  // the first ones, as it was told
    bool stalled = false;
    std::vector<JournalRecord> durable;
    WriteSeq needed;  // records below it may be gone
    std::string log;
    Slot applied;
    Instant stamp;  // of the last slot
    Ballot durable_promise;
    std::string diverged;
    std::string forgot;
  };

  Node& node_at(uint32_t node) { return *nodes_[node - 1]; }
  void Step(uint32_t node, Input<Protocol> input);
  // Runs the node as `action` says, judges what it did and takes its messages and answers over.
  void Judged(uint32_t node, const std::function<void(ReplicaRunner&)>& action);
  void JudgeDecided(uint32_t node);
  void TakeUp(Node& node, const Snapshot& snapshot);
  void InstallArrived(uint32_t node);
  void Judge(uint32_t node, const Note& note);
  void Violate(std::string what);

  Config config_;
  const uint64_t seed_;
  Rng rng_;
  Instant now_{1'000'000'000};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Envelope> in_flight_;
  uint64_t next_call_ = 1;
  absl::btree_map<CallId, Response> answers_;
  absl::btree_map<Slot, std::pair<uint64_t, uint64_t>> chosen_;  // value, chain
  absl::btree_map<std::pair<Ballot, Slot>, uint64_t> proposed_;
  absl::btree_map<Ballot, bool> led_;
  std::string violation_;
};

// Filters.
Cluster::Filter To(uint32_t node);
Cluster::Filter From(uint32_t node);
Cluster::Filter Between(uint32_t from, uint32_t to);
Cluster::Filter Everything();
template <class T>
Cluster::Filter Of() {
  return [](const Envelope& envelope) { return std::holds_alternative<T>(envelope.message); };
}
inline Cluster::Filter operator&&(Cluster::Filter a, Cluster::Filter b) {
  return [a = std::move(a), b = std::move(b)](const Envelope& e) { return a(e) && b(e); };
}

}  // namespace bt::paxos
