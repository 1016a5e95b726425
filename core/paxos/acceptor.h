#pragma once

// The durable voter: the promised ballot, the log, and the journal that keeps both. It also holds the chosen
// prefix, since what is chosen decides what may still be voted on. Invariants: the promise never goes back;
// an entry at or below the watermark never changes; whatever this room is asked to remember is written to
// the journal in the same step, and whoever tells others of it waits for the WriteSeq it is given. Used only
// by Replica and its Leader.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/paxos/chosen_prefix.h"
#include "core/paxos/config.h"
#include "core/paxos/journal.h"
#include "core/paxos/log.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

// Not empty, and not longer than a leader would propose.
bool IsValue(const Slice& value);

class Acceptor {
 public:
  // `config` must outlive it.
  explicit Acceptor(const Config& config, const Beginning& beginning = {})
      : config_(config),
        log_(beginning.prefix),
        prefix_(beginning, config.members),
        recorded_chosen_(prefix_.chosen()) {}

  // From the journal, before anything else. Records of slots below the log are passed over. CHECKs that the
  // records are ones this class wrote.
  void Recover(const std::vector<JournalRecord>& records, Outbox<Protocol>& out);

  Ballot promised() const { return promised_; }
  // The watermark: every slot up to it is known chosen.
  Slot chosen() const { return prefix_.chosen(); }
  const Log& log() const { return log_; }
  const ChosenPrefix& prefix() const { return prefix_; }
  const Configurations& configurations() const { return prefix_.configurations(); }
  // The digest of the chosen values up to `slot`; nullopt above the watermark and where the log does not
  // reach.
  std::optional<uint64_t> ChainAt(Slot slot) const;
  // The digest of the value known chosen at `slot`; nullopt above the watermark and below the log.
  std::optional<uint64_t> ChosenValue(Slot slot) const;

  // Raises the promise. `ballot` must be above promised().
  WriteSeq RaisePromise(Ballot ballot, Outbox<Protocol>& out);
  // The part of the phase-1 answer that begins at `from`. Rests on everything written so far.
  Promise Report(Slot from) const;

  // Accepts under `ballot`, which must be promised(). The result is what the acceptance rests on; nullopt:
  // not accepted, because this ballot has brought another value for the slot, or because another one is
  // known chosen there.
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

  // --- snapshots (snapshot_keeper.h) ---

  // Writes the part; the result is its bytes as a part of the record's.
  Slice WriteSnapshotPart(const SnapshotPartRecord& part, Outbox<Protocol>& out);
  // The first record of what is accepted or learned above `slot`; WriteSeq::Max() when there is none.
  WriteSeq FirstRecordAbove(Slot slot) const;
  // A durable snapshot of slots up to `slot` is there. Cuts the log, but not above it, and so that at least
  // config.log_bytes_kept of chosen values are left to serve those who are a little behind.
  void CutLog(Slot slot);
  // The state above is now a snapshot of a prefix that is longer than the one known chosen here. The
  // snapshot's parts must have been written before: recovery reads them before anything that is accepted from
  // here on.
  void Begin(const Beginning& beginning, Outbox<Protocol>& out);

  std::vector<Decided> TakeDecided() { return prefix_.TakeDecided(); }

  void CheckInvariants() const;
  uint64_t Digest() const;
  void DigestState(RollingDigest& digest) const;  // for Replica::StateDigest

 private:
  void Replay(const JournalRecord& record, Slot& chosen);
  void ReplayValue(const JournalRecord& record, Slot slot, Ballot ballot, Slice value);
  void Choose(Outbox<Protocol>& out);

  const Config& config_;
  Ballot promised_;
  Log log_;
  ChosenPrefix prefix_;
  Slot recorded_chosen_;  // as the journal gives it back
};

}  // namespace bt::paxos
