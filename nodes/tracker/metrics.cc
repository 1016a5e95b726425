#include "nodes/tracker/metrics.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

#include "core/base/version.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/descriptors.h"
#include "nodes/tracker/memory.h"

namespace bt::nodes {

namespace {

void Family(std::string_view name, std::string_view type, std::string_view help, std::string& out) {
  absl::StrAppend(&out, "# HELP bytetorrent_", Absl(name), " ", Absl(help), "\n# TYPE bytetorrent_",
                  Absl(name), " ", Absl(type), "\n");
}

void Sample(std::string_view name, std::string_view labels, uint64_t value, std::string& out) {
  absl::StrAppend(&out, "bytetorrent_", Absl(name), Absl(labels), " ", value, "\n");
}

void Single(std::string_view name, std::string_view type, std::string_view help, uint64_t value,
            std::string& out) {
  Family(name, type, help, out);
  Sample(name, "", value, out);
}

// What has a limit: how much is taken, and the most that was since the start.
void Limited(std::string_view name, std::string_view help, const net::Use& use, std::string& out) {
  Single(name, "gauge", absl::StrCat(Absl(help), "."), use.now(), out);
  Single(absl::StrCat(Absl(name), "_highest"), "gauge",
         absl::StrCat(Absl(help), ", the most since the start."), use.highest(), out);
}

void AppendLinks(const net::ReplicaLinks& all, const tracker_api::NodeStatus& status, std::string& out) {
  Family("replica_link_up", "gauge", "1 when this node can send to the peer.", out);
  for (const NodeId peer : status.members) {
    if (peer == status.node) continue;
    Sample("replica_link_up", absl::StrCat("{peer=\"", peer.value(), "\"}"), all.connected(peer) ? 1 : 0,
           out);
  }
  Family("replica_link_encrypted", "gauge", "1 when the link on which this node sends to the peer is in TLS.",
         out);
  for (const NodeId peer : status.members) {
    if (peer == status.node) continue;
    Sample("replica_link_encrypted", absl::StrCat("{peer=\"", peer.value(), "\"}"),
           all.encrypted(peer) ? 1 : 0, out);
  }
  if (all.tls() != nullptr && all.tls()->mode() != net::ReplicaTlsMode::kOff) {
    Single("replica_certificate_expiry_timestamp_seconds", "gauge",
           "When the certificate ends that this node shows to others, in seconds since 1970.",
           static_cast<uint64_t>(all.tls()->ends()), out);
  }
  const net::ReplicaLinks::Counters& links = all.counters();
  Single("replica_connect_failures_total", "counter", "Attempts at other nodes that came to nothing.",
         links.connect_failures, out);
  Single("replica_unresolved_total", "counter", "Attempts at other nodes whose name had no address.",
         links.unresolved, out);
  Single("replica_sent_bytes_total", "counter", "Bytes of frames sent to other nodes.", links.sent_bytes,
         out);
  Single("replica_received_bytes_total", "counter", "Bytes of frames received from other nodes.",
         links.received_bytes, out);
  Family("replica_dropped_frames_total", "counter", "Frames for other nodes that were not sent.", out);
  Sample("replica_dropped_frames_total", "{why=\"unconnected\"}", links.dropped_unconnected, out);
  Sample("replica_dropped_frames_total", "{why=\"overflow\"}", links.dropped_overflow, out);
  Family("replica_refused_total", "counter", "Replica connections closed for what came over them.", out);
  Sample("replica_refused_total", "{why=\"malformed\"}", links.malformed, out);
  Sample("replica_refused_total", "{why=\"foreign\"}", links.foreign, out);
  Sample("replica_refused_total", "{why=\"untrusted\"}", links.untrusted, out);
  Sample("replica_refused_total", "{why=\"unproven\"}", links.unproven, out);
  Sample("replica_refused_total", "{why=\"reborn\"}", links.reborn, out);
  Sample("replica_refused_total", "{why=\"in_use\"}", links.in_use, out);
  Sample("replica_refused_total", "{why=\"too_many\"}", links.turned_away, out);
}

std::string SecondsText(Duration duration) {
  return absl::StrFormat("%.6f", static_cast<double>(duration.ns) / 1e9);
}

void Histogram(std::string_view name, std::string_view help, const net::LatencyHistogram& histogram,
               std::string& out) {
  Family(name, "histogram", help, out);
  uint64_t count = 0;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    const auto& most = net::LatencyHistogram::kMicrosecondsMax;
    count += histogram.counts[i];
    const std::string le = i < most.size() ? SecondsText(Microseconds(most[i])) : "+Inf";
    Sample(absl::StrCat(Absl(name), "_bucket"), absl::StrCat("{le=\"", le, "\"}"), count, out);
  }
  Sample(absl::StrCat(Absl(name), "_count"), "", count, out);
  absl::StrAppend(&out, "bytetorrent_", Absl(name), "_sum ", SecondsText(histogram.sum), "\n");
}

void AppendJournal(const net::Journal::Counters& journal, std::string& out) {
  Single("journal_records_total", "counter", "Records made durable.", journal.records, out);
  Single("journal_commits_total", "counter", "Group commits (one write and one fdatasync each).",
         journal.commits, out);
  Single("journal_bytes", "gauge", "Size of the journal's segments.", journal.bytes, out);
  Single("journal_segments", "gauge", "The journal's segments.", journal.segments, out);
  if (journal.free_bytes) {
    Single("disk_free_bytes", "gauge", "Room on the journal's file system, as last looked at.",
           *journal.free_bytes, out);
  }
  Histogram("journal_sync_seconds", "How long the disk took for an fdatasync of a segment.", journal.syncs,
            out);
}

void AppendSteps(const net::StepTimes& times, std::string& out) {
  Histogram("step_seconds", "How long a step of the node took, in which it did nothing else.", times.steps,
            out);
  Family("step_seconds_highest", "gauge", "The longest step since the start.", out);
  absl::StrAppend(&out, "bytetorrent_step_seconds_highest ", SecondsText(times.longest), "\n");
}

void AppendUdp(const UdpCounters& edge, const net::DatagramCounters& socket, std::string& out) {
  Family("udp_requests_total", "counter", "Requests over UDP with a valid connection id, or for one.", out);
  Sample("udp_requests_total", "{action=\"connect\"}", edge.connects, out);
  Sample("udp_requests_total", "{action=\"announce\"}", edge.announces, out);
  Sample("udp_requests_total", "{action=\"scrape\"}", edge.scrapes, out);
  Single("udp_errors_total", "counter", "Requests over UDP that were answered with an error.", edge.errors,
         out);
  Single("udp_stale_total", "counter", "Requests whose connection id was none, or too old.", edge.stale, out);
  Family("udp_dropped_total", "counter", "Datagrams that were not answered, and answers that were not sent.",
         out);
  Sample("udp_dropped_total", "{why=\"garbage\"}", edge.malformed, out);
  Sample("udp_dropped_total", "{why=\"oversized\"}", socket.oversized, out);
  Sample("udp_dropped_total", "{why=\"unsent\"}", socket.unsent, out);
  Single("udp_refused_total", "counter", "Requests over UDP beyond the limits of those under way.",
         edge.refused, out);
  Single("udp_received_datagrams_total", "counter", "Datagrams from clients.", socket.received, out);
  Single("udp_received_bytes_total", "counter", "Their bytes.", socket.received_bytes, out);
  Single("udp_sent_datagrams_total", "counter", "Datagrams to clients.", socket.sent, out);
  Single("udp_sent_bytes_total", "counter", "Their bytes.", socket.sent_bytes, out);
}

// The names that Prometheus' own client libraries use, so that dashboards for any process show this one.
void AppendProcess(std::string& out) {
  const auto sample = [&out](const char* name, const char* type, const auto& value) {
    absl::StrAppend(&out, "# TYPE process_", name, " ", type, "\nprocess_", name, " ", value, "\n");
  };
  sample("resident_memory_bytes", "gauge", ResidentBytes());
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto duration = [](const timeval& time) { return Seconds(time.tv_sec) + Microseconds(time.tv_usec); };
  sample("cpu_seconds_total", "counter", SecondsText(duration(used.ru_utime) + duration(used.ru_stime)));
  std::error_code ignored;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd", ignored);
  sample("open_fds", "gauge", std::distance(begin(descriptors), end(descriptors)));
  sample("max_fds", "gauge", DescriptorLimit());
}

void AppendNode(const tracker_api::NodeStatus& status, std::string& out) {
  Family("role", "gauge", "1 for the role this node has.", out);
  for (const tracker_api::Role role : tracker_api::kRoles) {
    Sample("role", absl::StrCat("{role=\"", Absl(tracker_api::RoleName(role)), "\"}"),
           status.role == role ? 1 : 0, out);
  }
  Single("format_level", "gauge", "The format level in force, as far as this node has applied the log.",
         status.level, out);
  Single("format_level_oldest", "gauge", "The oldest format level that this node reads.", status.oldest_level,
         out);
  Single("format_level_newest", "gauge", "The newest format level that this node reads.", status.newest_level,
         out);
  Single("has_quorum", "gauge", "1 when this node leads or hears a leader that has a majority.",
         status.has_quorum ? 1 : 0, out);
  Single("ballot_round", "gauge", "Round of the highest ballot this node has seen.", status.ballot_round,
         out);
  Single("chosen_slot", "gauge", "Highest slot known chosen with all before it.", status.chosen.value(), out);
  Single("applied_slot", "gauge", "Highest slot the registry reflects.", status.applied.value(), out);
  Single("torrents", "gauge", "Registered torrents.", status.torrents, out);
  // A sample is a double, which holds 53 bits.
  Single("registry_digest", "gauge", "Low 48 bits of the registry's digest: equal at equal applied_slot.",
         status.registry_digest & ((uint64_t{1} << 48) - 1), out);
  Single("claims", "gauge", "Peers' claims.", status.claims, out);
  Family("alarm", "gauge", "1 for each thing an operator should look at; /status says more.", out);
  for (const tracker_api::Alarm& alarm : status.alarms)
    Sample("alarm", absl::StrCat("{name=\"", alarm.name, "\"}"), 1, out);
  Single("alarms", "gauge", "Things an operator should look at.", status.alarms.size(), out);
}

// Long commands on their way to the voters ahead of their slots.
void AppendShipping(const tracker::TrackerNode& node, std::string& out) {
  Single("shipped_values", "gauge", "Long commands this leader has shipped and nobody has given up.",
         node.shipments().under_way(), out);
  Single("shipped_bytes", "gauge", "Bytes of those that no majority holds yet.",
         node.shipments().under_way_bytes(), out);
  Single("shipments_waiting", "gauge", "Long commands that wait for room to be shipped.",
         node.shipments().waiting(), out);
  Single("held_values", "gauge", "Long commands that a leader has shipped to this node and it still holds.",
         node.held_values().count(), out);
  Single("held_values_bytes", "gauge", "Their bytes.", node.held_values().bytes(), out);
}

// What only the node itself knows, beyond its status.
void AppendReplica(const MetricsSources& sources, std::string& out) {
  const tracker::TrackerNode& node = sources.node;
  const paxos::Replica& replica = node.replica();
  if (const paxos::Leader* leading = replica.leading()) {
    Family("follower_lag_slots", "gauge",
           "Slots that this leader knows as chosen and the peer has not told to.", out);
    for (const NodeId peer : replica.others()) {
      const std::optional<Slot> known = leading->watermark_of(peer);
      if (!known) continue;
      const uint64_t lag = *known < replica.chosen() ? replica.chosen() - *known : 0;
      Sample("follower_lag_slots", absl::StrCat("{peer=\"", peer.value(), "\"}"), lag, out);
    }
  }
  Single("snapshot_bytes", "gauge", "Size of the newest durable snapshot.", replica.snapshot().bytes(), out);
  Single("snapshot_slot", "gauge", "The slot that the newest durable snapshot reflects.",
         replica.snapshot().prefix.slot.value(), out);
  Family("replica_dropped_messages_total", "counter", "Messages of nodes that were not acted on or not sent.",
         out);
  Sample("replica_dropped_messages_total", "{why=\"implausible\"}", replica.implausible(), out);
  Sample("replica_dropped_messages_total", "{why=\"disk\"}", sources.dropped_sends, out);
  Single("refused_for_room_total", "counter",
         "Writes of this node's clients refused, while it led, for want of room on a disk.",
         node.counters().refused_for_room, out);
  AppendShipping(node, out);
  Single("sessions", "gauge", "Client sessions remembered.", node.state().sessions().size(), out);
  Single("disk_low", "gauge", "1 when the journal's disk has less room than the reserve.",
         node.disk().low() ? 1 : 0, out);
  Single("handed_over_total", "counter", "Times that this leader asked another to lead because of its disk.",
         node.disk().handed_over(), out);
}

// Both tables of `bytetorrent cluster limits`, under the names of that.
void AppendLimits(const MetricsSources& sources, std::string& out) {
  struct Table {
    std::string_view name;
    std::vector<LimitRow> rows;
  };
  const std::array tables{Table{"agreed", AgreedLimits(sources.node.state())},
                          Table{"own", sources.own_limits}};
  const auto family = [&](std::string_view name, std::string_view help, auto of) {
    Family(name, "gauge", help, out);
    for (const Table& table : tables) {
      for (const LimitRow& row : table.rows) {
        const std::optional<uint64_t> value = of(row);
        const std::string labels = absl::StrCat("{table=\"", Absl(table.name), "\",name=\"", row.name, "\"}");
        if (value) Sample(name, labels, *value, out);
      }
    }
  };
  family("limit", "The limits that this node works under.",
         [](const LimitRow& row) { return std::optional(row.value); });
  family("limit_use", "What is taken of each; of what one of several may have, the most that one has.",
         [](const LimitRow& row) { return row.use; });
  family("limit_use_highest", "The same, the most since the start.",
         [](const LimitRow& row) { return row.highest; });
}

}  // namespace

size_t RequestCounters::Index(int status) {
  return static_cast<size_t>(std::find(kStatuses.begin(), kStatuses.end(), status) - kStatuses.begin());
}

void RequestCounters::Count(Endpoint endpoint, int status) {
  ++counts_[static_cast<size_t>(endpoint)][Index(status)];
}

uint64_t RequestCounters::Get(Endpoint endpoint, int status) const {
  return counts_[static_cast<size_t>(endpoint)][Index(status)];
}

std::string MetricsText(const MetricsSources& sources) {
  std::string out;
  Family("http_requests_total", "counter", "Answered requests by endpoint and HTTP status.", out);
  for (size_t endpoint = 0; endpoint < sources.requests.counts_.size(); ++endpoint) {
    for (size_t i = 0; i < sources.requests.counts_[endpoint].size(); ++i) {
      const uint64_t count = sources.requests.counts_[endpoint][i];
      if (count == 0) continue;
      const std::string status =
          i < RequestCounters::kStatuses.size() ? absl::StrCat(RequestCounters::kStatuses[i]) : "other";
      Sample("http_requests_total",
             absl::StrCat("{endpoint=\"", Absl(EndpointName(static_cast<Endpoint>(endpoint))), "\",status=\"",
                          status, "\"}"),
             count, out);
    }
  }
  Limited("http_connections", "Open client connections", sources.http.connections(), out);
  Limited("http_unsent_bytes", "Bytes of answers not taken yet", sources.http.unsent(), out);
  Limited("http_unfinished_bytes", "Bytes of requests not complete yet", sources.http.receiving(), out);
  Single("calls_under_way", "gauge", "Requests the node has not answered yet.", sources.calls_under_way, out);
  const net::HttpServerCounters& http = sources.http.counters();
  Single("http_connections_total", "counter", "Accepted client connections.", http.accepted, out);
  Single("http_received_bytes_total", "counter", "Bytes from clients.", http.received_bytes, out);
  Single("http_sent_bytes_total", "counter", "Bytes to clients.", http.sent_bytes, out);
  Single("http_deferred_total", "counter", "Times that requests of a connection had to wait for their turn.",
         http.deferred, out);
  Family("http_dropped_total", "counter", "Client connections closed for a reason of their own.", out);
  Sample("http_dropped_total", "{why=\"garbage\"}", http.malformed, out);
  Sample("http_dropped_total", "{why=\"too_many\"}", http.refused, out);
  Sample("http_dropped_total", "{why=\"timeout\"}", http.timed_out, out);
  Sample("http_dropped_total", "{why=\"overload\"}", http.overloaded, out);
  Sample("http_dropped_total", "{why=\"displaced\"}", http.displaced, out);
  Sample("http_dropped_total", "{why=\"unread\"}", http.unread, out);
  if (sources.udp.edge != nullptr) AppendUdp(*sources.udp.edge, *sources.udp.socket, out);
  AppendJournal(sources.journal, out);
  AppendSteps(sources.steps, out);
  Single("journal_set_aside", "gauge", "1 when a damaged journal of an earlier life is kept in damaged/.",
         sources.journal_set_aside ? 1 : 0, out);
  if (sources.links != nullptr) AppendLinks(*sources.links, sources.status, out);
  Single("leader_changes_total", "counter",
         "Ballots of its own this node has led, and of others it has promised.", sources.leader_changes, out);
  Family("build_info", "gauge", "The version this node runs.", out);
  Sample("build_info", absl::StrCat("{version=\"", kVersion, "\"}"), 1, out);
  AppendReplica(sources, out);
  AppendLimits(sources, out);
  AppendProcess(out);
  AppendNode(sources.status, out);
  return out;
}

}  // namespace bt::nodes
