#pragma once

// ReplicaPort: the replica inside the node. Steps it directly and moves its effects into the node's own
// outbox: sends keep the write they rest on, writes keep their numbers, deadlines are copied.
// Invariant: the replica is the journal's only writer.

#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/machine/machine.h"
#include "core/paxos/replica.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

class ReplicaPort {
 public:
  using Answers = std::vector<Outbox<paxos::Protocol>::Answer>;

  explicit ReplicaPort(const paxos::Config& config) : replica_(config) {}

  void Start(const Started& started, Context<Protocol>& context) {
    out_ = Outbox<paxos::Protocol>(context.out.last_write());
    Step(Input<paxos::Protocol>(started), context);
  }
  void Step(const Input<paxos::Protocol>& input, Context<Protocol>& context) {
    Context<paxos::Protocol> inner{context.now, context.rng, out_};
    replica_.Step(input, inner);
  }
  void Fire(paxos::Protocol::Timer timer, Context<Protocol>& context) {
    out_.Disarm(timer);  // the host has taken it off its table
    Step(TimerFired<paxos::Protocol>{timer}, context);
  }
  void Ask(CallId call, paxos::Request request, Context<Protocol>& context) {
    Step(Call<paxos::Protocol>{call, std::move(request)}, context);
  }

  bool has_effects() const {
    return !out_.writes.empty() || !out_.sends.empty() || !out_.notes.empty() || !out_.replies.empty();
  }
  // Moves the effects out; the replica's answers to Ask are returned.
  Answers Drain(Context<Protocol>& context) {
    for (auto& write : out_.writes) {
      CHECK(context.out.Write(write.type, std::move(write.body)) == write.seq);
    }
    for (auto& send : out_.sends) context.out.SendAfter(send.to, std::move(send.message), send.after);
    for (auto& note : out_.notes) context.out.Note(std::move(note));
    CHECK(out_.links.empty() && out_.files.empty());
    for (size_t i = 0; i < TimerTable<paxos::Protocol::Timer>::kCount; ++i) {
      context.out.Arm(static_cast<Protocol::Timer>(i),
                      out_.timers.deadline(static_cast<paxos::Protocol::Timer>(i)));
    }
    Answers answers = std::move(out_.replies);
    out_.Clear();
    return answers;
  }

  paxos::Replica& replica() { return replica_; }
  const paxos::Replica& replica() const { return replica_; }

 private:
  paxos::Replica replica_;
  Outbox<paxos::Protocol> out_;
};

}  // namespace bt::tracker
