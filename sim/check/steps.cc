#include "sim/check/steps.h"

#include <absl/strings/str_format.h>

#include <utility>
#include <variant>

namespace bt::sim {
namespace {

uint64_t Entries(const tracker_api::Response& response) {
  if (const auto* peers = std::get_if<tracker_api::Peers>(&response.body)) return peers->peers.size();
  const auto* listing = std::get_if<tracker_api::Listing>(&response.body);
  return listing == nullptr ? 0 : listing->torrents.size();
}

}  // namespace

void StepJudge::OnRead(const tracker_api::Response& response) {
  if (cost_ >= room_) {
    world_.Fail(absl::StrFormat(
        "steps: %s goes on answering reads in a step in which they have cost %d rows, and it has room for %d",
        node_, cost_, room_));
  }
  cost_ += kAnswer + Entries(response);
}

void StepJudge::OnStep(uint64_t counted) {
  const uint64_t cost = std::exchange(cost_, 0);
  if (counted >= cost) return;
  world_.Fail(absl::StrFormat("steps: %s says that the reads of a step have cost %d rows, and they cost %d",
                              node_, counted, cost));
}

}  // namespace bt::sim
