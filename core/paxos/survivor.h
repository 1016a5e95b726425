#pragma once

// Survivor: what one replica's journal tells of the log when the majority it belonged to is lost for good,
// and nobody can be asked any more. Every slot that the replica holds a value of counts as chosen, up to the
// first that it holds none of: a command that was acknowledged is durable at a majority, and this replica may
// be the last of it. So nothing that it has seen is dropped, and two things can be wrong: what was
// acknowledged by the others alone is missing, and above `known` there may be values that were never chosen.

#include <vector>

#include "core/machine/input.h"
#include "core/paxos/snapshot.h"

namespace bt::paxos {

struct Survivor {
  Snapshot snapshot;             // where `decided` goes on; empty: it begins at slot 1
  std::vector<Decided> decided;  // one for each slot behind the snapshot
  Slot known;                    // up to here the replica knew each slot as chosen
  Prefix end;                    // up to the last of them
  Instant stamp;                 // log time there
};

// `records`: of the whole journal, as recovery gives them.
Survivor ReadSurvivor(const std::vector<JournalRecord>& records);

}  // namespace bt::paxos
