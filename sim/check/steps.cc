#include "sim/check/steps.h"

#include <absl/strings/str_format.h>

#include <variant>

namespace bt::sim {
namespace {

uint64_t Entries(const tracker_api::Response& response) {
  if (const auto* peers = std::get_if<tracker_api::Peers>(&response.body)) return peers->peers.size();
  const auto* listing = std::get_if<tracker_api::Listing>(&response.body);
  return listing == nullptr ? 0 : listing->torrents.size();
}

}  // namespace

void StepJudge::Begin() {
  reads_ = commands_ = forwards_ = answer_bytes_ = 0;
  sent_bytes_.clear();
}

void StepJudge::OnStart(Room room) {
  room_ = room;
  Begin();
}

void StepJudge::Spend(const char* doing, uint64_t room, uint64_t cost, uint64_t& spent) {
  if (spent >= room) {
    world_.Fail(
        absl::StrFormat("steps: %s goes on %s in a step in which that has cost %d, and it has room for %d",
                        node_, doing, spent, room));
  }
  spent += cost;
}

void StepJudge::OnRead(const tracker_api::Response& response) {
  Spend("answering reads", room_.reads, kAnswer + Entries(response), reads_);
}

void StepJudge::OnAnswer(uint64_t bytes) {
  Spend("answering in bytes", room_.answer_bytes, bytes, answer_bytes_);
}

void StepJudge::OnApplied(uint64_t commands) {
  for (uint64_t i = 0; i < commands; ++i) Spend("applying commands", room_.commands, kCommand, commands_);
}

void StepJudge::OnForwarded(uint64_t bytes) {
  Spend("forwarding commands", room_.forwards, kCommand + bytes / kRowBytes, forwards_);
}

void StepJudge::OnSent(NodeId to, uint64_t bytes) {
  Spend("sending bytes to one peer", room_.sent_bytes, bytes, sent_bytes_[to]);
}

void StepJudge::Compare(const char* what, uint64_t counted, uint64_t cost) {
  if (counted >= cost) return;
  world_.Fail(absl::StrFormat("steps: %s says that the %s of a step have cost %d, and they cost %d", node_,
                              what, counted, cost));
}

void StepJudge::OnStep(const Counted& counted) {
  Compare("reads", counted.reads, reads_);
  Compare("commands", counted.commands, commands_);
  Begin();
}

}  // namespace bt::sim
