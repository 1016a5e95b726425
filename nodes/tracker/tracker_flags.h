#pragma once

// What the user told bytetorrent-tracker on its command line, checked. Hosts stay names: see net/resolve.h.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/tracker/format_level.h"
#include "core/wal/format.h"
#include "net/replica_tls.h"
#include "net/resolve.h"
#include "nodes/shared/member_address.h"
#include "nodes/tracker/operator_log.h"

namespace bt::nodes {

// Of --disk-reserve. The least is the segment that is being written and the next one; the usual one has room
// for a snapshot of some million claims and for everything that may be under way besides.
inline constexpr uint32_t kDiskReserveMibMin = 2 * (wal::kSegmentBytesTarget >> 20);
inline constexpr uint32_t kDiskReserveMib = 512;
static_assert(kDiskReserveMib >= kDiskReserveMibMin);

struct TrackerFlags {
  bool init = false;      // the command init, not serving
  bool join = false;      // of init: the node is to become a member of a cluster that is there
  std::string walcat;     // the command walcat, not serving: of this directory
  bool embedded = false;  // without --node: a cluster of one on loopback
  NodeId self{1};
  absl::btree_map<NodeId, MemberAddress> members;
  std::optional<net::HostAndPort> advertise;  // where clients reach this node, if not where it listens
  std::string data_dir;
  std::string cluster_secret;  // of init; empty: a cluster of one draws its own
  std::string from_backup;     // of init; empty: the cluster begins with nothing
  uint32_t snapshot_after_mib = 64;
  uint32_t disk_reserve_mib = kDiskReserveMib;
  uint32_t memory_limit_mib = 0;                  // 0: what there is decides (nodes/tracker/memory.h)
  uint32_t newest_level = tracker::kNewestLevel;  // of the formats that the node says it reads
  std::string announce_keys;                      // who may announce, and scrape; empty: everybody
  std::string tokens;           // who may ask what (nodes/shared/tokens.h); empty: everybody everything
  std::string tls_certificate;  // PEM files of the client port; both empty: it takes no TLS
  std::string tls_key;
  net::ReplicaTlsMode replica_tls = net::ReplicaTlsMode::kRequired;
  bool udp = true;  // clients may also announce over UDP
  LogFormat log_format = LogFormat::kText;
  std::string record;  // file; empty: nothing is recorded
  uint32_t record_limit_mib = 1024;

  const MemberAddress& own() const { return members.at(self); }
};

// nullopt: the program ends with `exit_code` (help was printed, or one line about what is wrong).
std::optional<TrackerFlags> ParseTrackerFlags(int argc, char** argv, int& exit_code);

}  // namespace bt::nodes
