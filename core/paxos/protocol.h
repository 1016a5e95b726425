#pragma once

// What replicas say to each other, write to their journals and tell their host. Paxos's words are used
// as in "Paxos Made Simple"; the shape of the whole is in README.md. A value is the canonical encoding
// of a Batch, encoded once by the leader and then only passed on.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/machine/files.h"
#include "core/paxos/membership.h"
#include "core/paxos/operator_requests.h"

namespace bt::paxos {

// Totally ordered; round 0 is no ballot. A node never uses one of its ballots for two elections.
struct Ballot {
  uint64_t round = 0;
  NodeId node;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("round", self.round);
    visit("node", self.node);
  }
  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};

// What one slot decides. Neither commands nor a change: a no-op.
struct Batch {
  Instant stamp;  // log time: advances only while there is a leader, and never goes back
  std::vector<Slice> commands;
  std::optional<Membership> change;  // of the members (configurations.h says when it is void)

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("stamp", self.stamp);
    visit("commands", self.commands);
    visit("change", self.change);
  }
  friend bool operator==(const Batch&, const Batch&) = default;
};

struct Decided {
  Slot slot;
  Batch batch;
};

// A chosen prefix in one number: `chain` digests the chosen values of slots 1 to `slot` in order. Two
// replicas that agree have equal chains at equal slots; slot 0 has chain 0.
struct Prefix {
  Slot slot;
  uint64_t chain = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("slot", self.slot);
    visit("chain", self.chain);
  }
  friend bool operator==(const Prefix&, const Prefix&) = default;
};

// --- election ---

// "Would you promise me `ballot`?" Binds nobody: it keeps a node that merely lost touch from unseating
// a leader that others still hear.
struct PreVote {
  Ballot ballot;
  Slot chosen;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("chosen", self.chosen);
  }
  friend bool operator==(const PreVote&, const PreVote&) = default;
};

struct PreVoteReply {
  Ballot ballot;  // the one asked about
  Ballot promised;
  bool granted = false;
  Slot chosen;  // the replier's watermark

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("promised", self.promised);
    visit("granted", self.granted);
    visit("chosen", self.chosen);
  }
  friend bool operator==(const PreVoteReply&, const PreVoteReply&) = default;
};

// Phase 1a for every slot >= from at once. The ballot is durable at its owner before anyone hears of it,
// so that a restart cannot use it again.
struct Prepare {
  static constexpr bool kRestsOnJournal = true;
  Ballot ballot;
  Slot from;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("from", self.from);
  }
  friend bool operator==(const Prepare&, const Prepare&) = default;
};

struct AcceptedEntry {
  Slot slot;
  Ballot ballot;
  Slice value;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("slot", self.slot);
    visit("ballot", self.ballot);
    visit("value", self.value);
  }
  friend bool operator==(const AcceptedEntry&, const AcceptedEntry&) = default;
};

// Phase 1b, in parts: everything accepted in [from, next) above `chosen`; next = 0 in the last part,
// otherwise the candidate asks on with Prepare{ballot, next}.
struct Promise {
  static constexpr bool kRestsOnJournal = true;
  Ballot ballot;
  Slot from;
  Slot chosen;
  Slot next;
  std::vector<AcceptedEntry> entries;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("from", self.from);
    visit("chosen", self.chosen);
    visit("next", self.next);
    visit("entries", self.entries);
  }
  friend bool operator==(const Promise&, const Promise&) = default;
};

// --- replication ---

// Phase 2a. `chosen`: every slot up to it is chosen.
struct Accept {
  Ballot ballot;
  Slot slot;
  Slot chosen;
  Slice value;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("slot", self.slot);
    visit("chosen", self.chosen);
    visit("value", self.value);
  }
  friend bool operator==(const Accept&, const Accept&) = default;
};

// Phase 2b.
struct Accepted {
  static constexpr bool kRestsOnJournal = true;
  Ballot ballot;
  Slot slot;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("slot", self.slot);
  }
  friend bool operator==(const Accepted&, const Accepted&) = default;
};

// The refusal of anything that carries a ballot below `promised`.
struct Rejected {
  Ballot ballot;
  Ballot promised;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("promised", self.promised);
  }
  friend bool operator==(const Rejected&, const Rejected&) = default;
};

// "I lead with `ballot`." A quorum that answers a beat confirms that nobody else led when it was sent.
// `common` is the leader's own prefix up to where it knows both itself and the receiver to be, so that the
// receiver can see whether they agree; what the receiver has told this leader, so that it can see what it
// forgot.
struct Heartbeat {
  Ballot ballot;
  uint64_t beat = 0;  // counts on while this ballot leads
  Slot chosen;
  Prefix common;
  Slot acknowledged;      // the highest slot of its Accepted for this ballot; 0: none came
  bool promised = false;  // it has promised this ballot

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("beat", self.beat);
    visit("chosen", self.chosen);
    visit("common", self.common);
    visit("acknowledged", self.acknowledged);
    visit("promised", self.promised);
  }
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct HeartbeatReply {
  Ballot ballot;
  uint64_t beat = 0;
  Slot chosen;  // the sender's

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("beat", self.beat);
    visit("chosen", self.chosen);
  }
  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};

// The watermark when no Accept is about to carry it.
struct Watermark {
  Ballot ballot;
  Slot chosen;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("chosen", self.chosen);
  }
  friend bool operator==(const Watermark&, const Watermark&) = default;
};

// --- catch-up: any replica serves its chosen prefix, a bounded piece at a time ---

struct CatchUp {
  Slot from;

  static constexpr void Fields(auto& self, auto&& visit) { visit("from", self.from); }
  friend bool operator==(const CatchUp&, const CatchUp&) = default;
};

struct CatchUpReply {
  Slot from;
  Slot chosen;                // the sender's
  Slot first;                 // the sender's log begins here; what is below is in its snapshot
  std::vector<Slice> values;  // the chosen values of from, from + 1, ...

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("from", self.from);
    visit("chosen", self.chosen);
    visit("first", self.first);
    visit("values", self.values);
  }
  friend bool operator==(const CatchUpReply&, const CatchUpReply&) = default;
};

// --- snapshots (snapshot.h): whoever lacks slots that nobody's log has any more takes the state instead ---

// Part `part` of the sender's snapshot of `slot`; when the receiver has another one, or `slot` is 0, the
// first part of that.
struct AskSnapshot {
  Slot slot;
  uint32_t part = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("slot", self.slot);
    visit("part", self.part);
  }
  friend bool operator==(const AskSnapshot&, const AskSnapshot&) = default;
};

struct SnapshotPart {
  Prefix prefix;
  Instant stamp;              // log time at its last slot
  std::vector<Epoch> epochs;  // who decides the slots above it
  uint32_t part = 0;
  uint32_t parts = 0;  // in all
  Slice bytes;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("prefix", self.prefix);
    visit("stamp", self.stamp);
    visit("epochs", self.epochs);
    visit("part", self.part);
    visit("parts", self.parts);
    visit("bytes", self.bytes);
  }
  friend bool operator==(const SnapshotPart&, const SnapshotPart&) = default;
};

// From the leader of `ballot`, who gives its place up, to one who has all that it proposed: stand now, and
// ask nobody first.
struct StandNow {
  Ballot ballot;

  static constexpr void Fields(auto& self, auto&& visit) { visit("ballot", self.ballot); }
  friend bool operator==(const StandNow&, const StandNow&) = default;
};

// A part of a longer message came from one who leads, stands or follows under `ballot`; none (round 0) if it
// does neither. A sign of life for those who wait under that ballot, and no more.
struct Presence {
  Ballot ballot;

  static constexpr void Fields(auto& self, auto&& visit) { visit("ballot", self.ballot); }
  friend bool operator==(const Presence&, const Presence&) = default;
};

using Message = std::variant<PreVote, PreVoteReply, Prepare, Promise, Accept, Accepted, Rejected, Heartbeat,
                             HeartbeatReply, Watermark, CatchUp, CatchUpReply, AskSnapshot, SnapshotPart,
                             StandNow, Presence>;

// --- the local user ---

// Wants `command` in the log.
struct Propose {
  Slice command;
};
// Wants a slot such that a state with everything up to it applied reflects every command whose
// proposer had an answer before this was asked.
struct ReadIndex {};
// The next part of a snapshot of the state above, as it is after `slot`, which must be known chosen and not
// be cut from the log. When the last part is durable the log is cut.
struct SaveSnapshot {
  Slot slot;
  Instant stamp;  // log time there
  Slice bytes;    // at most kSnapshotPartBytesMax
  bool last = false;
};
// About the snapshot that Replica::arrived() shows: if it is sound the state above has taken it up, and the
// replica does.
struct InstallSnapshot {
  bool sound = false;
};
// The Accept of `slot` was kept back on its way to `to`, and may go now: it need not wait for Config::retry.
// A leader sends it again if it is not answered yet.
struct SendAgain {
  NodeId to;
  Slot slot;
};
using Request = std::variant<Propose, ReadIndex, SaveSnapshot, InstallSnapshot, AddMember, RemoveMember,
                             TransferLeadership, Readmit, SendAgain>;

// The command stands in this batch, at this index, under this leader's ballot: not yet chosen, and if
// the leader loses its place it may never be, or come back at another slot after a retry.
struct Proposed {
  Slot slot;
  uint32_t index = 0;
};
// At once on a node that does not lead, and when a leader steps down to whatever has no slot yet.
struct NotLeader {
  std::optional<NodeId> leader;
};
// A queue is full: try again later.
struct Busy {};
// The command is longer than kCommandBytesMax.
struct TooLarge {};
struct ReadReady {
  Slot slot;
};
// To SaveSnapshot, InstallSnapshot and SendAgain; and to a change of the members or of the leader that has
// begun, or was made before. Whether it is done the membership tells, and who leads.
struct Noted {};
// To a change of the members or of the leader: it cannot be made, or not now.
struct Refused {
  std::string why;  // for people
};
using Response = std::variant<Proposed, NotLeader, Busy, TooLarge, ReadReady, Noted, Refused>;

// --- for judges and logs ---

struct BecameLeader {
  Ballot ballot;

  static constexpr void Fields(auto& self, auto&& visit) { visit("ballot", self.ballot); }
};
struct SteppedDown {
  Ballot ballot;

  static constexpr void Fields(auto& self, auto&& visit) { visit("ballot", self.ballot); }
};
// This leader asks for this value (its xxh3-64) in this slot. One value per (ballot, slot), forever.
struct Proposing {
  Ballot ballot;
  Slot slot;
  uint64_t value = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("slot", self.slot);
    visit("value", self.value);
  }
};
// This replica has come to know the slot's value as chosen. `chain` digests all values up to it: equal
// at equal slots on all replicas. After a restart the known prefix is told again, from behind Restored.
struct Chosen {
  Slot slot;
  uint64_t value = 0;
  uint64_t chain = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("slot", self.slot);
    visit("value", self.value);
    visit("chain", self.chain);
  }
};
// The state above is the snapshot of this prefix, and Chosen goes on behind it.
struct Restored {
  Prefix prefix;

  static constexpr void Fields(auto& self, auto&& visit) { visit("prefix", self.prefix); }
};
// The log has told this replica of another membership than before, in force from slot `from`.
struct MembersChanged {
  Slot from;
  Membership membership;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("from", self.from);
    visit("membership", self.membership);
  }
};
// The promised ballot has risen (it is being written).
struct Promised {
  Ballot ballot;

  static constexpr void Fields(auto& self, auto&& visit) { visit("ballot", self.ballot); }
};
// `peer` knows another value, or another chain of values, as chosen at `slot` than this replica does: the
// two digests. One of them has lost or changed what was chosen. This replica takes no further part, and
// its node must stop.
struct Diverged {
  NodeId peer;
  Slot slot;
  uint64_t here = 0;
  uint64_t there = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("peer", self.peer);
    visit("slot", self.slot);
    visit("here", self.here);
    visit("there", self.there);
  }
};
// `leader` has acknowledgements of this replica's of which nothing is left on its disk. It votes no more.
struct Forgot {
  NodeId leader;
  uint64_t round = 0;
  Slot acknowledged;  // 0: the promise of that round itself
  Slot held;          // the highest slot of which anything is held here
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("leader", self.leader);
    visit("round", self.round);
    visit("acknowledged", self.acknowledged);
    visit("held", self.held);
  }
};
using Note = std::variant<BecameLeader, SteppedDown, Proposing, Chosen, Restored, MembersChanged, Promised,
                          Diverged, Forgot>;

struct Protocol {
  using Message = paxos::Message;
  enum class Timer : uint8_t { kElection, kHeartbeat, kCatchUp, kSnapshot, kCount };
  using FileEffect = NoFiles;
  using FileDone = NoFiles;
  using Request = paxos::Request;
  using Response = paxos::Response;
  using Note = paxos::Note;
};

}  // namespace bt::paxos
