#pragma once

// What a tracker node counts about itself, and its Prometheus text form. Loop thread only.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tracker/node.h"
#include "core/tracker_api/tracker_api.h"
#include "net/datagrams.h"
#include "net/host.h"
#include "net/http/server.h"
#include "net/journal.h"
#include "net/replica_links.h"
#include "nodes/http_api/server.h"
#include "nodes/tracker/limits_table.h"
#include "nodes/tracker/udp_edge.h"

namespace bt::nodes {

class RequestCounters {
 public:
  // By the HTTP status of the answer.
  void Count(Endpoint endpoint, int status);
  uint64_t Get(Endpoint endpoint, int status) const;

 private:
  friend std::string MetricsText(const struct MetricsSources& sources);
  // The statuses this tracker answers with.
  static constexpr std::array kStatuses = {200, 201, 400, 401, 403, 404, 405, 409, 410, 413, 503};
  static size_t Index(int status);
  std::array<std::array<uint64_t, kStatuses.size() + 1>, static_cast<size_t>(Endpoint::kCount)> counts_{};
};

// Of a node that takes no datagrams: nothing.
struct UdpSources {
  const UdpCounters* edge = nullptr;
  const net::DatagramCounters* socket = nullptr;
};

struct MetricsSources {
  const RequestCounters& requests;
  const net::HttpServer& http;
  size_t calls_under_way = 0;
  const net::Journal::Counters& journal;
  const net::ReplicaLinks* links = nullptr;  // a cluster of one has none
  uint64_t leader_changes = 0;
  const tracker_api::NodeStatus& status;
  const tracker::TrackerNode& node;
  const net::StepTimes& steps;
  uint64_t dropped_sends = 0;      // by the host, of messages that waited for the disk
  bool journal_set_aside = false;  // a damaged one, of an earlier life
  UdpSources udp;
  std::vector<LimitRow> own_limits = {};
};

std::string MetricsText(const MetricsSources& sources);

}  // namespace bt::nodes
