#include "core/paxos/acceptor.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"

namespace bt::paxos {
namespace {

// A leader's batch and its framing fit; anything longer was not sent by one.
constexpr size_t kValueBytesMax = kCommandBytesMax + (1u << 20);

template <class Record>
Record DecodeRecord(const JournalRecord& record) {
  absl::StatusOr<Record> decoded = Decode<Record>(record.body);
  CHECK_MSG(decoded.ok(), absl::StrCat("journal record ", record.seq.value(), " of type ", record.type,
                                       " is not one this program writes: ", decoded.status().message()));
  return *std::move(decoded);
}

// Writes a record whose last field is `value`; the result is the value as a part of the record's bytes.
template <class Record>
Slice WriteWithBytes(RecordType type, const Record& record, size_t last_field, Outbox<Protocol>& out) {
  constexpr size_t kFramingBytes = 80;
  std::string bytes;
  bytes.reserve(last_field + kFramingBytes);
  Encoder(bytes).Put(record);
  const Slice body = Slice::Own(std::move(bytes));
  out.Write(static_cast<uint8_t>(type), body);
  return body.From(body.size() - last_field);
}

template <class Record>
Slice WriteWithValue(RecordType type, const Record& record, Outbox<Protocol>& out) {
  return WriteWithBytes(type, record, record.value.size(), out);
}

template <class Record>
WriteSeq Write(RecordType type, const Record& record, Outbox<Protocol>& out) {
  return out.Write(static_cast<uint8_t>(type), Slice::Own(Encode(record)));
}

}  // namespace

bool IsValue(const Slice& value) { return !value.empty() && value.size() <= kValueBytesMax; }

// The journal is read in the order in which it was written, so that of two acceptances in one slot the later
// one stands, as it did before the crash. What is known chosen is delivered again from the beginning on.
void Acceptor::Recover(const std::vector<JournalRecord>& records, Outbox<Protocol>& out) {
  Slot chosen = prefix_.chosen();
  if (chosen > Slot(0)) {
    out.Note(Restored{{chosen, prefix_.chain()}});
    const Epoch& latest = configurations().latest();
    if (latest.membership.version > 0) out.Note(MembersChanged{latest.from, latest.membership});
  }
  for (const JournalRecord& record : records) Replay(record, chosen);
  while (prefix_.chosen() < chosen) Choose(out);
  recorded_chosen_ = chosen;
}

// An acceptance implies the promise of its ballot, so each record that names a ballot raises the promise: an
// acceptor that came back with a lower one could accept what a candidate was told it never would ("Paxos
// Made Simple", P1a and section 2.5). A part of a snapshot repeats the promise, because the journal may have
// forgotten the promise's own record.
void Acceptor::Replay(const JournalRecord& record, Slot& chosen) {
  switch (static_cast<RecordType>(record.type)) {
    case RecordType::kPromised:
      promised_ = std::max(promised_, DecodeRecord<PromisedRecord>(record).ballot);
      return;
    case RecordType::kAccepted: {
      AcceptedRecord accepted = DecodeRecord<AcceptedRecord>(record);
      promised_ = std::max(promised_, accepted.ballot);
      chosen = std::max(chosen, accepted.chosen);
      if (accepted.slot < log_.first()) return;
      CHECK(accepted.slot > chosen);
      return ReplayValue(record, accepted.slot, accepted.ballot, std::move(accepted.value));
    }
    case RecordType::kLearned: {
      LearnedRecord learned = DecodeRecord<LearnedRecord>(record);
      if (learned.slot < log_.first()) return;
      CHECK(learned.slot > chosen);
      chosen = learned.slot;
      return ReplayValue(record, learned.slot, Ballot{}, std::move(learned.value));
    }
    case RecordType::kChosen:
      chosen = std::max(chosen, DecodeRecord<ChosenRecord>(record).chosen);
      return;
    case RecordType::kSnapshotPart:
      promised_ = std::max(promised_, DecodeRecord<SnapshotPartRecord>(record).promised);
      return;
  }
  CHECK_MSG(false, absl::StrCat("journal record ", record.seq.value(), " has unknown type ", record.type));
}

void Acceptor::ReplayValue(const JournalRecord& record, Slot slot, Ballot ballot, Slice value) {
  const uint64_t digest = HashBytes(value.view());
  log_.Put(slot, {ballot, digest, std::move(value), record.seq});
}

WriteSeq Acceptor::RaisePromise(Ballot ballot, Outbox<Protocol>& out) {
  CHECK(ballot > promised_);
  promised_ = ballot;
  out.Note(Promised{ballot});
  return Write(RecordType::kPromised, PromisedRecord{ballot}, out);
}

// A candidate must hear of every value that may have been chosen ("Paxos Made Simple", phase 1b). Above the
// watermark that is everything accepted here, also what is still on its way to disk: the acceptance may be
// told as soon as it is durable, and the report waits for the same disk. Up to the watermark the choice is
// known, and Promise::chosen says so instead.
Promise Acceptor::Report(Slot from) const {
  Promise promise{.ballot = promised_, .from = from, .chosen = chosen()};
  size_t bytes = 0;
  for (Slot slot = std::max(from, chosen().next()); slot <= log_.last(); ++slot) {
    const LogEntry* entry = log_.Find(slot);
    if (entry == nullptr) continue;
    if (bytes > 0 && bytes + entry->value.size() > config_.promise_bytes_max) {
      promise.next = slot;
      break;
    }
    bytes += entry->value.size();
    promise.entries.push_back({slot, entry->ballot, entry->value});
  }
  return promise;
}

// What is answered for a slot that is known chosen here:
//
// The chosen value itself is answered like an acceptance. The leader may not know yet that it is chosen and
// may need this very answer. The answer counts for nothing that could later be missed, for the slot is
// chosen already.
//
// Another value is not answered. A leader can ask for one, and neither side is wrong: its ballot is below
// the ballot that chose, and this replica learned the choice by catch-up while its own promise was still as
// low. ("Paxos Made Simple", P2c, binds ballots above the choosing one only.) Such a leader gets no quorum
// of acceptances: if it did, P2c would have given its value to every higher ballot.
//
// Below the log this replica no longer knows the value, and answers. Suppose that a leader of ballot b then
// counts a quorum Q for value v, while value w was chosen under ballot c. Then v = w:
//   - If b > c, P2c says so; if b = c, the ballot has one value for the slot.
//   - If b < c: replicas answer b only while their promise is b, and the first
// of the answers that is no acceptance comes after w was chosen. Let d be c, or a ballot between b and c
// whose proposal was accepted before that. d had its quorum of promises by then, and none of those who gave
// one can answer b any more. So whoever is both in Q and in d's quorum (at least one replica is) did accept
// v under b before, and reported it to d. Take the lowest d first: the highest ballot reported to d is b or
// a lower such d, and its value is v. So d proposed v, and in the end so did c.
std::optional<WriteSeq> Acceptor::Accept(Ballot ballot, Slot slot, const Slice& value,
                                         Outbox<Protocol>& out) {
  CHECK(ballot == promised_);
  const uint64_t digest = HashBytes(value.view());
  if (slot <= chosen()) {
    return ChosenValue(slot).value_or(digest) == digest ? std::optional(out.last_write()) : std::nullopt;
  }
  const LogEntry* entry = log_.Find(slot);
  if (entry != nullptr && entry->ballot == ballot) {
    // A repetition; it may have come before the first one's write was durable.
    return entry->digest == digest ? std::optional(out.last_write()) : std::nullopt;
  }
  Slice kept = WriteWithValue(RecordType::kAccepted, AcceptedRecord{ballot, slot, chosen(), value}, out);
  recorded_chosen_ = chosen();
  log_.Put(slot, {ballot, digest, std::move(kept), out.last_write()});
  return out.last_write();
}

// A leader knows only choices under ballots up to its own, and P2c gives it the chosen value for each of
// those slots. So what this replica accepted under the leader's ballot is what was chosen. What it accepted
// under another ballot may be a value that lost: there the watermark waits for the leader's Accept or for
// catch-up.
void Acceptor::Advance(Ballot ballot, Slot watermark, Outbox<Protocol>& out) {
  while (chosen() < watermark) {
    const LogEntry* entry = log_.Find(chosen().next());
    if (entry == nullptr || entry->ballot != ballot) return;
    Choose(out);
  }
}

void Acceptor::ChooseNext(Ballot ballot, Outbox<Protocol>& out) {
  const LogEntry* entry = log_.Find(chosen().next());
  CHECK(entry != nullptr && entry->ballot == ballot);
  Choose(out);
}

// The record also says that everything before it is chosen, so a restart needs no ballot to know it.
void Acceptor::Learn(const Slice& value, Outbox<Protocol>& out) {
  const Slot slot = chosen().next();
  const uint64_t digest = HashBytes(value.view());
  const LogEntry* entry = log_.Find(slot);
  // The journal may hold this value already, accepted under whatever ballot.
  if (entry != nullptr && entry->digest == digest) return Choose(out);
  Slice kept = WriteWithValue(RecordType::kLearned, LearnedRecord{slot, value}, out);
  log_.Put(slot, {Ballot{}, digest, std::move(kept), out.last_write()});
  Choose(out);
  recorded_chosen_ = slot;
}

void Acceptor::RecordChosen(Outbox<Protocol>& out) {
  if (recorded_chosen_ == chosen()) return;
  recorded_chosen_ = chosen();
  Write(RecordType::kChosen, ChosenRecord{chosen()}, out);
}

void Acceptor::Choose(Outbox<Protocol>& out) {
  const LogEntry* entry = log_.Find(chosen().next());
  CHECK(entry != nullptr);
  prefix_.Extend(*entry, out);
  log_.SetChain(chosen(), prefix_.chain());
}

std::optional<uint64_t> Acceptor::ChainAt(Slot slot) const {
  if (slot == log_.base().slot) return log_.base().chain;
  const LogEntry* entry = slot <= chosen() ? log_.Find(slot) : nullptr;
  return entry != nullptr ? std::optional(entry->chain) : std::nullopt;
}

std::optional<uint64_t> Acceptor::ChosenValue(Slot slot) const {
  const LogEntry* entry = slot <= chosen() ? log_.Find(slot) : nullptr;
  return entry != nullptr ? std::optional(entry->digest) : std::nullopt;
}

Slice Acceptor::WriteSnapshotPart(const SnapshotPartRecord& part, Outbox<Protocol>& out) {
  return WriteWithBytes(RecordType::kSnapshotPart, part, part.bytes.size(), out);
}

WriteSeq Acceptor::FirstRecordAbove(Slot slot) const {
  WriteSeq first = WriteSeq::Max();
  for (Slot above = std::max(slot.next(), log_.first()); above <= log_.last(); ++above) {
    const LogEntry* entry = log_.Find(above);
    if (entry != nullptr) first = std::min(first, entry->record);
  }
  return first;
}

// The values kept below the snapshot spare those who are a little behind a whole snapshot. The chain's digest
// where the log begins stays, so that heartbeats still compare prefixes there.
void Acceptor::CutLog(Slot slot) {
  Prefix base = log_.base();
  size_t left = log_.bytes();
  for (Slot at = log_.first(); at <= slot; ++at) {
    const LogEntry* entry = log_.Find(at);
    left -= entry->value.size();
    if (left < config_.log_bytes_kept) break;
    base = {at, entry->chain};
  }
  log_.Begin(base);
}

void Acceptor::Begin(const Beginning& beginning, Outbox<Protocol>& out) {
  out.Note(Restored{beginning.prefix});
  prefix_.Begin(beginning, out);
  log_.Begin(beginning.prefix);
  recorded_chosen_ = chosen();
}

void Acceptor::CheckInvariants() const {
  prefix_.CheckInvariants();
  CHECK(chosen() >= log_.base().slot && chosen() <= log_.last());
  CHECK(recorded_chosen_ <= chosen());
}

uint64_t Acceptor::Digest() const {
  RollingDigest digest;
  digest.Add(promised_.round);
  digest.Add(promised_.node.value());
  digest.Add(chosen().value());
  digest.Add(prefix_.chain());
  digest.Add(log_.last().value());
  digest.Add(recorded_chosen_.value());
  return digest.value();
}

}  // namespace bt::paxos
