#include "core/paxos/catch_up.h"

#include <algorithm>
#include <vector>

namespace bt::paxos {

// What is missing is on its way most of the time, for Accepts may overtake each other; asking at once would
// fetch it twice. So a replica waits for the grace first. One question is open at a time, and what it is
// answered tells whether there is more.
void CatchUpClient::Want(Slot target, NodeId peer, Slot chosen, bool at_once, Context<Protocol>& context) {
  target_ = std::max(target_, target);
  if (chosen >= target_) return;
  if (state_ == State::kAsked) return;
  peer_ = peer;  // the latest to say so is the likeliest to answer
  if (at_once) return Ask(chosen, context);
  if (state_ == State::kGrace) return;
  state_ = State::kGrace;
  context.out.Arm(Protocol::Timer::kCatchUp, context.now + config_.gap_grace);
}

void CatchUpClient::PickPeer(Slot chosen, Context<Protocol>& context) {
  const std::vector<NodeId> others = acceptor_.configurations().Others(config_.self, chosen);
  if (!others.empty()) peer_ = others[context.rng.Below(others.size())];
}

void CatchUpClient::Probe(Slot chosen, Context<Protocol>& context) {
  if (state_ == State::kAsked) return;
  target_ = std::max(target_, chosen.next());
  PickPeer(chosen, context);
  if (peer_ != NodeId(0)) Ask(chosen, context);
}

void CatchUpClient::OnTimer(Slot chosen, Context<Protocol>& context) {
  if (state_ == State::kIdle) return;
  // The watermark that was heard of may be one that nobody has. Whoever does have more says so again with
  // the next Accept or heartbeat.
  if (state_ == State::kAsked && exhausted_) target_ = chosen;
  if (chosen >= target_) {
    state_ = State::kIdle;
    return;
  }
  if (state_ == State::kAsked) {
    // The peer may be gone, and its log may begin above what is asked for: any other one will do, or the
    // same one again.
    PickPeer(chosen, context);
  }
  Ask(chosen, context);
}

void CatchUpClient::OnPiece(NodeId peer, Slot target, Slot before, Slot chosen, Context<Protocol>& context) {
  target_ = std::max(target_, target);
  if (state_ != State::kAsked) return;
  if (chosen >= target_) {
    state_ = State::kIdle;
    context.out.Disarm(Protocol::Timer::kCatchUp);
  } else if (chosen > before) {
    peer_ = peer;
    Ask(chosen, context);
  } else {
    exhausted_ = peer == peer_ && target <= chosen;
  }
}

void CatchUpClient::Ask(Slot chosen, Context<Protocol>& context) {
  state_ = State::kAsked;
  exhausted_ = false;
  context.out.Send(peer_, CatchUp{chosen.next()});
  context.out.Arm(Protocol::Timer::kCatchUp, context.now + config_.retry);
}

}  // namespace bt::paxos
