#pragma once

// The replica's durable memory: the promised ballot, the log, and how much of it is known chosen.
// Invariants: the promise never goes back; an entry at or below the chosen watermark never changes;
// whatever this room is asked to remember is written to the journal in the same step, and whoever tells
// others of it waits for the WriteSeq it is given. Used only by Replica and its Leader.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/paxos/config.h"
#include "core/paxos/log.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// The batch a value encodes. Bytes that are none are a no-op, on every replica alike.
Batch DecodeBatch(const Slice& value);

// Not empty, and not longer than a leader would propose.
bool IsValue(const Slice& value);

class Acceptor {
 public:
  explicit Acceptor(const Config& config) : config_(config) {}

  // From the journal, before anything else. CHECKs that the records are ones this class wrote.
  void Recover(const std::vector<JournalRecord>& records, Outbox<Protocol>& out);

  Ballot promised() const { return promised_; }
  Slot chosen() const { return chosen_; }
  const Log& log() const { return log_; }
  // The log time of the last chosen batch.
  Instant stamp() const { return stamp_; }
  // Digest of all chosen values in order.
  uint64_t chain() const { return chain_; }
  // The digest of the chosen values up to `slot`; nullopt above chosen() and below the log.
  std::optional<uint64_t> ChainAt(Slot slot) const;
  // The digest of the value known chosen at `slot`; nullopt above chosen() and below the log.
  std::optional<uint64_t> ChosenValue(Slot slot) const;

  // Raises the promise. `ballot` must be above promised().
  WriteSeq RaisePromise(Ballot ballot, Outbox<Protocol>& out);
  // The part of the phase-1 answer that begins at `from`. Rests on everything written so far.
  Promise Report(Slot from) const;

  // Accepts under `ballot`, which must be promised(). The result is what the acceptance rests on;
  // nullopt: not accepted, because this ballot has brought another value for the slot, or because another
  // one is known chosen there.
  std::optional<WriteSeq> Accept(Ballot ballot, Slot slot, const Slice& value, Outbox<Protocol>& out);

  // The leader of `ballot` says that all slots up to `watermark` are chosen. Moves up as far as this
  // replica's entries were accepted under that very ballot: an older entry may hold another value.
  void Advance(Ballot ballot, Slot watermark, Outbox<Protocol>& out);
  // The leader has counted a quorum for slot chosen() + 1, which it holds under its own ballot.
  void ChooseNext(Ballot ballot, Outbox<Protocol>& out);
  // `value` (IsValue) is the chosen value of slot chosen() + 1, from another replica's chosen prefix.
  void Learn(const Slice& value, Outbox<Protocol>& out);

  // Writes the watermark down if it has moved since it last was.
  void RecordChosen(Outbox<Protocol>& out);

  std::vector<Decided> TakeDecided() { return std::exchange(decided_, {}); }

  void CheckInvariants() const;
  uint64_t Digest() const;

 private:
  void Replay(const JournalRecord& record, Slot& chosen);
  void Choose(Outbox<Protocol>& out);

  const Config config_;
  Ballot promised_;
  Log log_;
  Slot chosen_;
  Slot recorded_chosen_;
  Instant stamp_;
  uint64_t chain_ = 0;
  std::vector<Decided> decided_;
};

}  // namespace bt::paxos
