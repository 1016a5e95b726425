#include "sim/check/lockstep.h"

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

void LockstepJudge::Refuse(NodeId node, const std::string& what) {
  world_.Fail(absl::StrFormat("specification: tracker-%d %s", node.value(), what));
}

void LockstepJudge::OnStart(NodeId node, WriteSeq last) { Take(node, paxos_.Restart(node, last)); }

void LockstepJudge::OnWrite(NodeId node, WriteSeq seq, uint8_t type, const Slice& body) {
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

void LockstepJudge::LookForChange(const Slice& value) {
  const absl::StatusOr<paxos::Batch> batch = Decode<paxos::Batch>(value);
  if (batch.ok() && batch->change) paxos_.IsChange(MultiPaxos::ValueOf(value), *batch->change);
}

void LockstepJudge::OnDurable(NodeId node, WriteSeq durable) { Take(node, paxos_.Sync(node, durable)); }

void LockstepJudge::OnTransmit(NodeId node, NodeId to, const Slice& message) {
  const absl::StatusOr<paxos::Message> decoded = Decode<paxos::Message>(message);
  CHECK(decoded.ok());
  if (const auto* heir = std::get_if<paxos::StandNow>(&*decoded))
    return Take(node, paxos_.TellHeir(node, to, heir->ballot));
  std::visit([&](const auto& known) { Say(node, known); }, *decoded);
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
    paxos_.HearPromise(node, from, std::get<paxos::Promise>(*decoded));
  }
}

void LockstepJudge::OnStep(NodeId node, const paxos::Replica& replica) {
  Take(node, paxos_.Holds(node, replica.ballot(), replica.chosen()));
  if (const paxos::Candidate* candidate = replica.candidate()) {
    Take(node, paxos_.HoldsReports(node, *candidate));
  }
  const std::optional<Slot> slot = std::exchange(answered_, std::nullopt);
  const paxos::Leader* leader = slot.has_value() ? replica.leading() : nullptr;
  const paxos::VoteSet* votes = leader != nullptr ? leader->votes(*slot) : nullptr;
  if (votes != nullptr) Take(node, paxos_.HoldsVotes(leader->ballot(), *slot, *votes));
}

void LockstepJudge::OnNote(NodeId node, const paxos::Note& note) {
  if (const auto* chosen = std::get_if<paxos::Chosen>(&note)) {
    Take(node, paxos_.Learn(node, chosen->slot, chosen->value));
  } else if (const auto* restored = std::get_if<paxos::Restored>(&note)) {
    Take(node, paxos_.Restore(node, restored->prefix.slot));
  } else if (const auto* changed = std::get_if<paxos::MembersChanged>(&note)) {
    Take(node, paxos_.TellMembers(node, changed->from, changed->membership));
  }
}

void LockstepJudge::Say(NodeId node, const paxos::Prepare& message) {
  Take(node, paxos_.Prepare(node, message.ballot));
}

void LockstepJudge::Say(NodeId node, const paxos::Promise& message) {
  Take(node, paxos_.TellPromise(node, message));
}

void LockstepJudge::Say(NodeId node, const paxos::Accept& message) {
  Take(node, paxos_.TellLeads(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
  Take(node, paxos_.TellProposal(node, message.ballot, message.slot, MultiPaxos::ValueOf(message.value)));
}

void LockstepJudge::Say(NodeId node, const paxos::Accepted& message) {
  Take(node, paxos_.TellAccepted(node, message.ballot, message.slot));
}

void LockstepJudge::Say(NodeId node, const paxos::Rejected& message) {
  Take(node, paxos_.TellRejected(node, message.ballot, message.promised));
}

void LockstepJudge::Say(NodeId node, const paxos::Heartbeat& message) {
  Take(node, paxos_.TellLeads(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
}

void LockstepJudge::Say(NodeId node, const paxos::HeartbeatReply& message) {
  Take(node, paxos_.TellFollows(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
}

void LockstepJudge::Say(NodeId node, const paxos::Watermark& message) {
  Take(node, paxos_.TellLeads(node, message.ballot));
  Take(node, paxos_.TellChosenUpTo(message.chosen));
}

void LockstepJudge::Say(NodeId node, const paxos::CatchUpReply& message) {
  Take(node, paxos_.TellChosenUpTo(message.chosen));
  Slot slot = message.from;
  for (const Slice& value : message.values) {
    Take(node, paxos_.TellChosen(slot, MultiPaxos::ValueOf(value)));
    ++slot;
  }
}

void LockstepJudge::Say(NodeId node, const paxos::SnapshotPart& message) {
  Take(node, paxos_.TellChosenUpTo(message.prefix.slot));
}

}  // namespace bt::sim
