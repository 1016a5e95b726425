#pragma once

// The asking side of catch-up: one bounded piece of a peer's chosen prefix at a time, until this replica
// has reached the highest watermark it heard of. The serving side is stateless (CatchUpReply from the
// log), so a slow asker costs the one it asks nothing but the pieces.

#include <cstdint>

#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/paxos/acceptor.h"
#include "core/paxos/config.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

class CatchUpClient {
 public:
  // Both must outlive it.
  CatchUpClient(const Config& config, const Acceptor& acceptor) : config_(config), acceptor_(acceptor) {}

  // `peer` says that slots up to `target` are chosen. If this replica (at `chosen`) still lacks some
  // after the grace, it asks; `at_once` skips the grace.
  void Want(Slot target, NodeId peer, Slot chosen, bool at_once, Context<Protocol>& context);
  // Asks any other member whether there is more than this replica knows.
  void Probe(Slot chosen, Context<Protocol>& context);
  void OnTimer(Slot chosen, Context<Protocol>& context);
  // A piece arrived from `peer` and moved this replica from `before` to `chosen`.
  void OnPiece(NodeId peer, Slot target, Slot before, Slot chosen, Context<Protocol>& context);

  void DigestState(RollingDigest& digest) const;  // for Replica::StateDigest

 private:
  enum class State : uint8_t { kIdle, kGrace, kAsked };

  void Ask(Slot chosen, Context<Protocol>& context);
  void PickPeer(Slot chosen, Context<Protocol>& context);

  const Config& config_;
  const Acceptor& acceptor_;
  State state_ = State::kIdle;
  Slot target_;
  NodeId peer_;
  bool exhausted_ = false;  // kAsked: the peer has answered, and has nothing more
};

}  // namespace bt::paxos
