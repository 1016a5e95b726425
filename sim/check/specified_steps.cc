#include "sim/check/specified_steps.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_format.h>

#include <type_traits>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/paxos/journal.h"

namespace bt::sim {
namespace {

template <class Record>
Record DecodeRecord(const Slice& body) {
  absl::StatusOr<Record> record = Decode<Record>(body);
  CHECK(record.ok());
  return *std::move(record);
}

}  // namespace

void SpecifiedSteps::Refuse(NodeId node, const std::string& what) {
  if (!refusal_) refusal_ = absl::StrFormat("specification: tracker-%d %s", node.value(), what);
}

void SpecifiedSteps::OnStart(NodeId node, WriteSeq last) { Take(node, paxos_.Restart(node, last)); }

void SpecifiedSteps::OnWrite(NodeId node, WriteSeq seq, uint8_t type, const Slice& body) {
  switch (static_cast<paxos::RecordType>(type)) {
    case paxos::RecordType::kPromised:
      return Take(node, paxos_.Promise(node, DecodeRecord<paxos::PromisedRecord>(body).ballot, seq));
    case paxos::RecordType::kAccepted: {
      const auto record = DecodeRecord<paxos::AcceptedRecord>(body);
      Take(node, paxos_.TellChosenUpTo(record.chosen));
      if (record.ballot.node == node) LookForChange(record.value);
      return Take(node,
                  paxos_.Accept(node, record.ballot, record.slot, MultiPaxos::ValueOf(record.value), seq));
    }
    case paxos::RecordType::kLearned: {
      const auto record = DecodeRecord<paxos::LearnedRecord>(body);
      return Take(node, paxos_.TellChosen(record.slot, MultiPaxos::ValueOf(record.value)));
    }
    case paxos::RecordType::kChosen:
      return Take(node, paxos_.TellChosenUpTo(DecodeRecord<paxos::ChosenRecord>(body).chosen));
    case paxos::RecordType::kSnapshotPart: {
      const auto record = DecodeRecord<paxos::SnapshotPartRecord>(body);
      Take(node, paxos_.TellChosenUpTo(record.prefix.slot));
      return Take(node, paxos_.HoldsPromise(node, record.promised));
    }
  }
  Refuse(node, absl::StrFormat("wrote a record of type %d, which the specification does not know", type));
}

void SpecifiedSteps::LookForChange(const Slice& value) {
  const absl::StatusOr<paxos::Batch> batch = Decode<paxos::Batch>(value);
  if (batch.ok() && batch->change) paxos_.IsChange(MultiPaxos::ValueOf(value), *batch->change);
}

void SpecifiedSteps::OnDurable(NodeId node, WriteSeq durable) { Take(node, paxos_.Sync(node, durable)); }

void SpecifiedSteps::OnTransmit(NodeId node, NodeId to, const paxos::Message& message) {
  if (const auto* heir = std::get_if<paxos::StandNow>(&message))
    return Take(node, paxos_.TellHeir(node, to, heir->ballot));
  std::visit([&](const auto& known) { Say(node, known); }, message);
}

void SpecifiedSteps::OnStep(NodeId node, const Held& held) {
  Take(node, paxos_.Holds(node, held.ballot, held.chosen));
  if (held.candidate != nullptr) Take(node, paxos_.HoldsReports(node, *held.candidate));
  if (held.votes != nullptr) Take(node, paxos_.HoldsVotes(held.ballot, held.slot, *held.votes));
}

void HoldVotes(const paxos::Replica& replica, Slot slot, SpecifiedSteps::Held& held) {
  const paxos::Leader* leader = replica.leading();
  held.votes = leader != nullptr ? leader->votes(slot) : nullptr;
  held.slot = slot;
}

void SpecifiedSteps::OnNote(NodeId node, const paxos::Note& note) {
  if (const auto* chosen = std::get_if<paxos::Chosen>(&note)) {
    Take(node, paxos_.Learn(node, chosen->slot, chosen->value));
  } else if (const auto* restored = std::get_if<paxos::Restored>(&note)) {
    Take(node, paxos_.Restore(node, restored->prefix.slot));
  } else if (const auto* changed = std::get_if<paxos::MembersChanged>(&note)) {
    Take(node, paxos_.TellMembers(node, changed->from, changed->membership));
  }
}

void SpecifiedSteps::Say(NodeId node, const paxos::Prepare& message) {
  Take(node, paxos_.Prepare(node, message.ballot));
}

void SpecifiedSteps::Say(NodeId node, const paxos::Promise& message) {
  Take(node, paxos_.TellPromise(node, message));
}

void SpecifiedSteps::Say(NodeId node, const paxos::Accept& message) {
  Take(node, paxos_.TellLeads(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
  Take(node, paxos_.TellProposal(node, message.ballot, message.slot, MultiPaxos::ValueOf(message.value)));
}

void SpecifiedSteps::Say(NodeId node, const paxos::Accepted& message) {
  Take(node, paxos_.TellAccepted(node, message.ballot, message.slot));
}

void SpecifiedSteps::Say(NodeId node, const paxos::Rejected& message) {
  Take(node, paxos_.TellRejected(node, message.ballot, message.promised));
}

void SpecifiedSteps::Say(NodeId node, const paxos::Heartbeat& message) {
  Take(node, paxos_.TellLeads(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
}

void SpecifiedSteps::Say(NodeId node, const paxos::HeartbeatReply& message) {
  Take(node, paxos_.TellFollows(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
}

void SpecifiedSteps::Say(NodeId node, const paxos::Watermark& message) {
  Take(node, paxos_.TellLeads(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
}

void SpecifiedSteps::Say(NodeId node, const paxos::CatchUpReply& message) {
  Take(node, paxos_.TellChosenUpTo(message.chosen));
  Slot slot = message.from;
  for (const Slice& value : message.values) {
    Take(node, paxos_.TellChosen(slot, MultiPaxos::ValueOf(value)));
    ++slot;
  }
}

void SpecifiedSteps::Say(NodeId node, const paxos::SnapshotPart& message) {
  Take(node, paxos_.TellChosenUpTo(message.prefix.slot));
}

}  // namespace bt::sim
