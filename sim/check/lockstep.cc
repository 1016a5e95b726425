#include "sim/check/lockstep.h"

#include <absl/status/statusor.h>

#include <type_traits>
#include <variant>

#include "core/base/check.h"
#include "core/base/fields.h"

namespace bt::sim {

void LockstepJudge::OnTransmit(NodeId node, NodeId to, const Slice& message) {
  const absl::StatusOr<paxos::Message> decoded = Decode<paxos::Message>(message);
  CHECK(decoded.ok());
  steps_.OnTransmit(node, to, *decoded);
  Judged();
}

void LockstepJudge::OnDeliver(NodeId node, NodeId from, const Slice& message) {
  constexpr auto kIndexOf = []<class T>(std::type_identity<T>) { return paxos::Message(T{}).index(); };
  static const size_t kPromise = kIndexOf(std::type_identity<paxos::Promise>());
  static const size_t kAccepted = kIndexOf(std::type_identity<paxos::Accepted>());
  Decoder decoder(message);
  uint64_t index = 0;
  decoder.Get("alternative", index);
  answered_.reset();
  if (index == kAccepted) {
    paxos::Accepted accepted;
    decoder.Get("accepted", accepted);
    answered_ = accepted.slot;
  } else if (index == kPromise) {
    const absl::StatusOr<paxos::Message> decoded = Decode<paxos::Message>(message);
    CHECK(decoded.ok());
    steps_.OnPromise(node, from, std::get<paxos::Promise>(*decoded));
  }
}

void LockstepJudge::OnStep(NodeId node, const paxos::Replica& replica) {
  SpecifiedSteps::Held held{
      .ballot = replica.ballot(), .chosen = replica.chosen(), .candidate = replica.candidate()};
  if (const std::optional<Slot> slot = std::exchange(answered_, std::nullopt))
    HoldVotes(replica, *slot, held);
  steps_.OnStep(node, held);
  Judged();
}

}  // namespace bt::sim
