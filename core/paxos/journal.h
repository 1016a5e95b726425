#pragma once

// What a replica writes to its journal. One type per record; the bytes are each struct's Fields.
// Replayed in order they give back everything the replica told anybody before it crashed.

#include <cstdint>
#include <variant>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/paxos/protocol.h"

namespace bt::paxos {

enum class RecordType : uint8_t {
  kPromised = 1,  // PromisedRecord
  kAccepted = 2,  // AcceptedRecord
  kLearned = 3,   // LearnedRecord
  kChosen = 4,    // ChosenRecord
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

// All of them, for the tests of what travels and what is kept.
using Record = std::variant<PromisedRecord, AcceptedRecord, LearnedRecord, ChosenRecord>;

}  // namespace bt::paxos
