#pragma once

// ReplicaPort: the replica inside the node. Invariant: the replica is the journal's only writer.

#include "core/machine/sub_machine.h"
#include "core/paxos/replica.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

using ReplicaPort = SubMachine<paxos::Replica, Protocol>;

}  // namespace bt::tracker
