#pragma once

// What a replica writes to its journal. One type per record; the bytes are each struct's Fields.
// Replayed in order they give back everything the replica told anybody before it crashed. The front of the
// journal may be gone, as far as a snapshot in it takes its place.

#include <cstdint>
#include <variant>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

enum class RecordType : uint8_t {
  kPromised = 1,      // PromisedRecord
  kAccepted = 2,      // AcceptedRecord
  kLearned = 3,       // LearnedRecord
  kChosen = 4,        // ChosenRecord
  kSnapshotPart = 5,  // SnapshotPartRecord
};

struct PromisedRecord {
  Ballot ballot;

  static constexpr void Fields(auto& self, auto&& visit) { visit("ballot", self.ballot); }
};

// Implies the promise of `ballot`, and that every slot up to `chosen` is chosen as it stands in the
// journal before this record.
struct AcceptedRecord {
  Ballot ballot;
  Slot slot;
  Slot chosen;
  Slice value;  // last, so that the log can share the record's bytes

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("ballot", self.ballot);
    visit("slot", self.slot);
    visit("chosen", self.chosen);
    visit("value", self.value);
  }
};

// The value of `slot`, known chosen from another replica's log; so is everything before it.
struct LearnedRecord {
  Slot slot;
  Slice value;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("slot", self.slot);
    visit("value", self.value);
  }
};

// Written now and then when the log is quiet. Losing it costs time after a restart, never safety.
struct ChosenRecord {
  Slot chosen;

  static constexpr void Fields(auto& self, auto&& visit) { visit("chosen", self.chosen); }
};

// A part of a snapshot (snapshot.h), which is whole when the parts from 0 to the last one are there; records
// of other kinds may stand between them. A whole one says that every slot up to `prefix.slot` is chosen, and
// takes the place of everything that the journal told of those slots.
struct SnapshotPartRecord {
  Prefix prefix;
  Instant stamp;
  std::vector<Epoch> epochs;
  Ballot promised;  // when it was written: the promise's own record may be forgotten
  uint32_t part = 0;
  bool last = false;
  Slice bytes;  // last, so that memory can share the record's

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("prefix", self.prefix);
    visit("stamp", self.stamp);
    visit("epochs", self.epochs);
    visit("promised", self.promised);
    visit("part", self.part);
    visit("last", self.last);
    visit("bytes", self.bytes);
  }
};

// All of them, for the tests of what travels and what is kept.
using Record = std::variant<PromisedRecord, AcceptedRecord, LearnedRecord, ChosenRecord, SnapshotPartRecord>;

}  // namespace bt::paxos
