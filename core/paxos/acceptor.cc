#include "core/paxos/acceptor.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/paxos/journal.h"

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
Slice WriteWithValue(RecordType type, const Record& record, Outbox<Protocol>& out) {
  constexpr size_t kFramingBytesMax = 48;
  std::string bytes;
  bytes.reserve(record.value.size() + kFramingBytesMax);
  Encoder(bytes).Put(record);
  const Slice body = Slice::Own(std::move(bytes));
  out.Write(static_cast<uint8_t>(type), body);
  return body.From(body.size() - record.value.size());
}

template <class Record>
WriteSeq Write(RecordType type, const Record& record, Outbox<Protocol>& out) {
  return out.Write(static_cast<uint8_t>(type), Slice::Own(Encode(record)));
}

}  // namespace

bool IsValue(const Slice& value) { return !value.empty() && value.size() <= kValueBytesMax; }

Batch DecodeBatch(const Slice& value) {
  absl::StatusOr<Batch> batch = Decode<Batch>(value);
  return batch.ok() ? *std::move(batch) : Batch{};
}

void Acceptor::Recover(const std::vector<JournalRecord>& records, Outbox<Protocol>& out) {
  Slot chosen;
  for (const JournalRecord& record : records) Replay(record, chosen);
  while (chosen_ < chosen) Choose(out);
  recorded_chosen_ = chosen_;
}

void Acceptor::Replay(const JournalRecord& record, Slot& chosen) {
  switch (static_cast<RecordType>(record.type)) {
    case RecordType::kPromised:
      promised_ = std::max(promised_, DecodeRecord<PromisedRecord>(record).ballot);
      return;
    case RecordType::kAccepted: {
      AcceptedRecord accepted = DecodeRecord<AcceptedRecord>(record);
      promised_ = std::max(promised_, accepted.ballot);
      chosen = std::max(chosen, accepted.chosen);
      CHECK(accepted.slot > chosen);
      const uint64_t digest = HashBytes(accepted.value.view());
      log_.Put(accepted.slot, {accepted.ballot, digest, std::move(accepted.value)});
      return;
    }
    case RecordType::kLearned: {
      LearnedRecord learned = DecodeRecord<LearnedRecord>(record);
      CHECK(learned.slot > chosen);
      chosen = learned.slot;
      const uint64_t digest = HashBytes(learned.value.view());
      log_.Put(learned.slot, {Ballot{}, digest, std::move(learned.value)});
      return;
    }
    case RecordType::kChosen:
      chosen = std::max(chosen, DecodeRecord<ChosenRecord>(record).chosen);
      return;
  }
  CHECK_MSG(false, absl::StrCat("journal record ", record.seq.value(), " has unknown type ", record.type));
}

WriteSeq Acceptor::RaisePromise(Ballot ballot, Outbox<Protocol>& out) {
  CHECK(ballot > promised_);
  promised_ = ballot;
  out.Note(Promised{ballot});
  return Write(RecordType::kPromised, PromisedRecord{ballot}, out);
}

Promise Acceptor::Report(Slot from) const {
  Promise promise{.ballot = promised_, .from = from, .chosen = chosen_};
  size_t bytes = 0;
  for (Slot slot = std::max(from, chosen_.next()); slot <= log_.last(); ++slot) {
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

std::optional<WriteSeq> Acceptor::Accept(Ballot ballot, Slot slot, const Slice& value,
                                         Outbox<Protocol>& out) {
  CHECK(ballot == promised_);
  const uint64_t digest = HashBytes(value.view());
  if (slot <= chosen_) {
    // Another value than the chosen one comes from a leader whose ballot is below the ballot that chose.
    // This replica can meet such a leader although it knows the choice: it may have learned the value by
    // catch-up while its promise was still below the choosing ballot. That leader never gets a quorum
    // ("Paxos Made Simple", P2c), and this replica does not vote for its value.
    // The chosen value itself is answered like an acceptance. The answer promises nothing that could
    // later be missed: whatever ballot is prepared next, Promise.chosen tells it that the slot is chosen.
    return ChosenValue(slot).value_or(digest) == digest ? std::optional(out.last_write()) : std::nullopt;
  }
  const LogEntry* entry = log_.Find(slot);
  if (entry != nullptr && entry->ballot == ballot) {
    // A repetition; it may have come before the first one's write was durable.
    return entry->digest == digest ? std::optional(out.last_write()) : std::nullopt;
  }
  Slice kept = WriteWithValue(RecordType::kAccepted, AcceptedRecord{ballot, slot, chosen_, value}, out);
  recorded_chosen_ = chosen_;
  log_.Put(slot, {ballot, digest, std::move(kept)});
  return out.last_write();
}

void Acceptor::Advance(Ballot ballot, Slot watermark, Outbox<Protocol>& out) {
  while (chosen_ < watermark) {
    const LogEntry* entry = log_.Find(chosen_.next());
    // A leader knows only choices at ballots up to its own, so its own value for a chosen slot is the
    // chosen one; what another ballot left here may be a value that lost.
    if (entry == nullptr || entry->ballot != ballot) return;
    Choose(out);
  }
}

void Acceptor::ChooseNext(Ballot ballot, Outbox<Protocol>& out) {
  const LogEntry* entry = log_.Find(chosen_.next());
  CHECK(entry != nullptr && entry->ballot == ballot);
  Choose(out);
}

void Acceptor::Learn(const Slice& value, Outbox<Protocol>& out) {
  const Slot slot = chosen_.next();
  const uint64_t digest = HashBytes(value.view());
  const LogEntry* entry = log_.Find(slot);
  // The journal may hold this value already, accepted under whatever ballot.
  if (entry != nullptr && entry->digest == digest) return Choose(out);
  Slice kept = WriteWithValue(RecordType::kLearned, LearnedRecord{slot, value}, out);
  log_.Put(slot, {Ballot{}, digest, std::move(kept)});
  Choose(out);
  recorded_chosen_ = chosen_;
}

void Acceptor::RecordChosen(Outbox<Protocol>& out) {
  if (recorded_chosen_ == chosen_) return;
  recorded_chosen_ = chosen_;
  Write(RecordType::kChosen, ChosenRecord{chosen_}, out);
}

void Acceptor::Choose(Outbox<Protocol>& out) {
  const LogEntry* entry = log_.Find(chosen_.next());
  CHECK(entry != nullptr);
  ++chosen_;
  RollingDigest chain;
  chain.Add(chain_);
  chain.Add(entry->digest);
  chain_ = chain.value();
  log_.SetChain(chosen_, chain_);
  Batch batch = DecodeBatch(entry->value);
  // Leaders' clocks are not compared anywhere else: here, in slot order, log time is made monotone.
  stamp_ = std::max(stamp_, batch.stamp);
  batch.stamp = stamp_;
  decided_.push_back({chosen_, std::move(batch)});
  out.Note(Chosen{chosen_, entry->digest, chain_});
}

std::optional<uint64_t> Acceptor::ChainAt(Slot slot) const {
  if (slot == Slot(0)) return 0;
  const LogEntry* entry = slot <= chosen_ ? log_.Find(slot) : nullptr;
  return entry != nullptr ? std::optional(entry->chain) : std::nullopt;
}

std::optional<uint64_t> Acceptor::ChosenValue(Slot slot) const {
  const LogEntry* entry = slot <= chosen_ ? log_.Find(slot) : nullptr;
  return entry != nullptr ? std::optional(entry->digest) : std::nullopt;
}

void Acceptor::CheckInvariants() const {
  CHECK(chosen_ <= log_.last());
  CHECK(recorded_chosen_ <= chosen_);
  CHECK(decided_.empty() || decided_.back().slot == chosen_);
}

uint64_t Acceptor::Digest() const {
  RollingDigest digest;
  digest.Add(promised_.round);
  digest.Add(promised_.node.value());
  digest.Add(chosen_.value());
  digest.Add(chain_);
  digest.Add(log_.last().value());
  digest.Add(recorded_chosen_.value());
  return digest.value();
}

}  // namespace bt::paxos
