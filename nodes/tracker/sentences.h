#pragma once

// What the tracker program says of itself in one line each, to its operator.

#include <absl/status/status.h>

#include <cstdint>
#include <string>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/paxos/membership.h"
#include "core/wal/journal_files.h"

namespace bt::nodes {

// Ends with a line feed: scripts wait for it on the standard output. `clients`: a URL. `nodes`: empty for a
// cluster of one.
std::string ReadyLine(NodeId self, const std::string& clients, const std::string& nodes,
                      const std::string& data_dir);
// It takes a while until it serves; `clients`: a URL.
std::string RecoversLine(NodeId self, const std::string& data_dir, const std::string& clients);
// `encrypted`: the link that is up is in TLS.
std::string LinkLine(NodeId self, NodeId peer, const Address& address, bool up, bool encrypted);
// It listens on all addresses, and none was given to be told.
std::string NoOwnAddressLine(NodeId self);
// An interrupted write at the journal's end was cut off.
std::string CutLine(const wal::JournalRecovery& recovery, const std::string& data_dir);
std::string MembersLine(NodeId self, const paxos::Membership& members);

// From here on the process ends with a sentence and status 1 where memory cannot be had, instead of by an
// exception that nobody catches.
void EndWithASentenceWithoutMemory();
// `status`, said of one of the node's ports.
absl::Status About(const char* port, const absl::Status& status);

}  // namespace bt::nodes
