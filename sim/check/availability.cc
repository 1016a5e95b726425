#include "sim/check/availability.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace bt::sim {
namespace {

// Each of the core may stand once in each of four timeouts.
constexpr uint64_t kElections = 4;
// DrawElectionTimeout's: the range grows by its first width with each failed election, up to this often.
constexpr int64_t kBackoffSteps = 4;

}  // namespace

void AvailabilityJudge::OnHealed(Healed healed) {
  const Duration longest =
      config_.election_max + (config_.election_max - config_.election_min) * kBackoffSteps;
  healed_ = std::move(healed);
  healed_at_ = world_.now();
  settled_ = healed_at_ + healed_.stragglers_max + longest * static_cast<int64_t>(kElections) +
             healed_.latency_max * static_cast<int64_t>(2 * healed_.lag);
  world_.Schedule(settled_, this, 0);
}

void AvailabilityJudge::Fire(uint64_t) {
  if (healed_at_ == Instant::Never() || healed_.has_leader()) return;
  world_.Fail(absl::StrFormat("availability: nobody leads at %s, though the core was healed at %s",
                              TimeText(world_.now()), TimeText(healed_at_)));
}

void AvailabilityJudge::OnNote(NodeId node, const paxos::Note& note) {
  const auto* promised = std::get_if<paxos::Promised>(&note);
  if (promised == nullptr || promised->ballot.node != node || healed_at_ == Instant::Never()) return;
  if (std::find(healed_.core.begin(), healed_.core.end(), node) == healed_.core.end()) return;
  if (world_.now() > settled_) {
    world_.Fail(
        absl::StrFormat("elections: tracker-%d begins ballot %d.%d at %s, though the core was healed at %s "
                        "and must have kept "
                        "its leader since %s",
                        node.value(), promised->ballot.round, node.value(), TimeText(world_.now()),
                        TimeText(healed_at_), TimeText(settled_)));
  } else if (world_.now() > healed_at_ + healed_.stragglers_max &&
             ++begun_ > kElections * healed_.core.size()) {
    world_.Fail(absl::StrFormat("elections: %d ballots were begun since all faults were over at %s", begun_,
                                TimeText(healed_at_ + healed_.stragglers_max)));
  }
}

}  // namespace bt::sim
