#include "core/paxos/catch_up.h"

#include <algorithm>

namespace bt::paxos {

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
    // No answer: any other peer will do, or the same one again.
    const size_t step = 1 + context.rng.Below(members_.size() - 1);
    peer_ = members_.node((members_.self() + step) % members_.size());
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
