#include "nodes/tracker/limits_table.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/tracker/limit_names.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/descriptors.h"

namespace bt::nodes {
namespace {

using tracker::Share;

struct Meaning {
  std::string_view name;
  std::optional<uint64_t> use;
  std::string_view at_limit;
};

constexpr std::string_view kRegistrations = "registrations are answered 413";
constexpr std::string_view kClaims = "offers are answered 503, announces are not listed";
constexpr std::string_view kOwnClaims = "the source's own oldest claim makes room";

std::vector<Meaning> Meanings(const tracker::ReplicatedState& state) {
  const tracker::Registry& registry = state.registry();
  const tracker::Shares& shares = registry.shares();
  const auto most = [&](auto Share::*held) -> std::optional<uint64_t> {
    const std::vector<tracker::Source> largest = shares.Largest(held, 1);
    if (largest.empty()) return std::nullopt;
    return shares.Of(largest[0]).*held;
  };
  const auto most_of_content = [&]() -> std::optional<uint64_t> {
    uint64_t claims = 0;
    for (const tracker::TorrentNumber number : shares.crowded())
      claims = std::max<uint64_t>(claims, registry.torrent(number).claims.size());
    return claims == 0 ? std::nullopt : std::optional(claims);
  };
  // Bound for ever: the most there was is the most there is.
  const auto bound = [&](tracker::Held what) { return state.peaks().Of(what); };
  return {
      {"metainfo.pieces", {}, "registrations are answered 400"},
      {"metainfo.piece_length", {}, "registrations are answered 400"},
      {"metainfo.name_bytes", {}, "registrations are answered 400"},
      {"metainfo.foreign_info_hashes", {}, "registrations are answered 400"},
      {"torrents", registry.torrents(), kRegistrations},
      {"names_per_content", bound(tracker::Held::kNamesPerContent), kRegistrations},
      {"info_hashes_per_content", bound(tracker::Held::kInfoHashesPerContent), kRegistrations},
      {"claims_per_content", most_of_content(), kClaims},
      {"claims", registry.claims(), kClaims},
      {"claims_per_command", {}, "announces wait for the next command"},
      {"bytes", registry.accounted_bytes(), kClaims},
      {"sessions", state.sessions().size(), "mutations of new sessions are answered 503"},
      {"source_claims", most(&Share::claims), kOwnClaims},
      {"source_claims_per_content", {}, kOwnClaims},
      {"source_claim_bytes", most(&Share::claim_bytes), kOwnClaims},
      {"source_names", most(&Share::names), kRegistrations},
      {"source_registered_bytes", most(&Share::registered_bytes), kRegistrations},
  };
}

LimitRow OfConfig(std::string name, std::string_view unit, uint64_t limit, const tracker::Kept& kept,
                  std::string_view at_limit) {
  return {std::move(name), unit, limit, kept.now, kept.most, at_limit};
}

LimitRow OfServer(std::string name, std::string_view unit, uint64_t limit, const net::Use& use,
                  std::string_view at_limit) {
  return {std::move(name), unit, limit, use.now(), use.highest(), at_limit};
}

// Of what one of several may have; who has most now is not known.
LimitRow OfEach(std::string name, std::string_view unit, uint64_t limit, uint64_t highest,
                std::string_view at_limit) {
  return {std::move(name), unit, limit, {}, highest, at_limit};
}

void AddClients(const OwnLimitSources& sources, std::vector<LimitRow>& rows) {
  const net::HttpServer& server = sources.server;
  const net::HttpServerLimits& clients = sources.limits.clients;
  rows.push_back(
      OfServer("connections", "", clients.connections, server.connections(), "an idle one makes room"));
  rows.push_back(OfEach("connections_per_address", "", clients.connections_per_address,
                        server.most_of_address().value(), "an idle one of it makes room"));
  rows.push_back(OfEach("requests_per_connection", "", clients.pipelined, server.most_pipelined().value(),
                        "it is not read"));
  rows.push_back(OfEach("unsent_bytes_per_connection", "bytes", clients.output, server.most_output().value(),
                        "it is not read; one answer always fits"));
  rows.push_back(
      OfServer("unsent_bytes", "bytes", clients.unsent, server.unsent(), "who reads nothing is closed"));
  rows.push_back(OfServer("unfinished_bytes", "bytes", clients.receiving, server.receiving(),
                          "the address with most loses one"));
  rows.push_back({"calls_under_way", "", sources.router.limit(), sources.router.under_way(),
                  sources.router.most().value(), "requests are answered 503"});
  if (sources.udp == nullptr) return;
  rows.push_back({"udp_requests", "", kUdpCallLimit, sources.udp->under_way(), sources.udp->most().value(),
                  "an error says to ask again"});
  rows.push_back(OfEach("udp_requests_per_source", "", kUdpCallLimitOfSource,
                        sources.udp->most_of_source().value(), "an error says to ask again"));
}

void AddNode(const tracker::TrackerNode& node, std::vector<LimitRow>& rows) {
  const tracker::Config& config = node.config();
  const tracker::KeptParts kept = node.kept();
  constexpr std::string_view kMutations = "mutations are answered 503";
  constexpr std::string_view kWait = "the next ones wait";
  constexpr std::string_view kForgotten = "the oldest are forgotten";
  constexpr std::string_view kNotListed = "announces are answered, and not listed";
  const uint32_t announces = config.unapplied_announces_max;
  rows.push_back(OfConfig("mutations", "", config.pending_max, kept.mutations, kMutations));
  rows.push_back(
      OfConfig("mutation_bytes", "bytes", config.pending_bytes_max, kept.mutation_bytes, kMutations));
  rows.push_back(OfConfig("reads", "", config.reads_max, kept.reads, "linearizable reads are answered 503"));
  rows.push_back(
      OfConfig("read_rounds", "", config.remote_reads_max, kept.read_rounds, "other nodes ask again"));
  rows.push_back(OfConfig("announces", "", announces, kept.announces, kNotListed));
  rows.push_back(OfEach("announces_per_source", "", tracker::Announces::LimitOfSource(announces),
                        kept.announces_of_source.most, kNotListed));
  rows.push_back(
      OfConfig("orders", "", config.orders_max, kept.orders, "the operator's orders are answered 503"));
  rows.push_back(OfConfig("snapshots_asked", "", config.snapshots_asked_max, kept.snapshots_asked,
                          "the operator's orders are answered 503"));
  rows.push_back(OfConfig("shipped_values", "", config.bulk_messages_max / 2, kept.shipped_values, kWait));
  rows.push_back(OfConfig("shipped_bytes", "bytes", config.shipped_bytes_max, kept.shipped_bytes, kWait));
  rows.push_back(OfConfig("held_values", "", config.bulk_messages_max, kept.held_values, kForgotten));
  rows.push_back(OfConfig("held_values_bytes", "bytes", config.held_values_bytes_max, kept.held_values_bytes,
                          kForgotten));
  rows.push_back(OfConfig("long_messages_per_node", "", config.bulk_messages_max, kept.long_messages,
                          "the newest is dropped"));
  rows.push_back(OfConfig("long_message_bytes_per_node", "bytes", config.bulk_queued_bytes_max,
                          kept.long_message_bytes, "the newest is dropped; one always fits"));
}

}  // namespace

std::vector<LimitRow> AgreedLimits(const tracker::ReplicatedState& state) {
  const std::vector<Meaning> meanings = Meanings(state);
  const tracker::Peaks peaks = state.peaks();
  std::vector<LimitRow> rows;
  for (tracker::NamedLimit& limit : tracker::NamedLimits(state.registry().limits())) {
    LimitRow& row = rows.emplace_back(LimitRow{std::move(limit.name), limit.unit, limit.value, {}, {}, {}});
    if (const auto held = tracker::HeldNamed(row.name)) row.highest = peaks.Of(*held);
    for (const Meaning& meaning : meanings) {
      if (meaning.name != row.name) continue;
      row.use = meaning.use;
      row.at_limit = meaning.at_limit;
    }
  }
  return rows;
}

std::vector<LimitRow> OwnLimits(const OwnLimitSources& sources) {
  // The kernel counts the most a little later than what is there now.
  const uint64_t resident = ResidentBytes();
  std::vector<LimitRow> rows{{"memory", "bytes", sources.limits.memory, resident,
                              std::max(resident, MostResidentBytes()), "(the next ones are parts of it)"}};
  const uint64_t open = OpenDescriptors(sources.limits.descriptors);
  rows.push_back({"descriptors", "", sources.limits.descriptors, open,
                  std::max(open, sources.most_descriptors), "newcomers wait to be accepted"});
  AddClients(sources, rows);
  AddNode(sources.node, rows);
  const net::Journal::Queued queued = sources.journal.queued();
  rows.push_back({"journal_queue_bytes", "bytes", sources.journal.queued_bytes_max(), queued.now, queued.most,
                  "the node stops: its disk does not keep up"});
  if (sources.links == nullptr) return rows;
  rows.push_back({"replica_connections", "", sources.limits.replica_inbound, sources.links->inbound(),
                  sources.links->most_inbound().value(), "the longest silent stranger makes room"});
  rows.push_back({"replica_queue_bytes", "bytes", sources.links->queued_bytes_max(),
                  sources.links->queued_bytes(), sources.links->most_queued_bytes().value(),
                  "the oldest frames are dropped; one always fits"});
  return rows;
}

absl::StatusOr<tracker::SetLimits> ParseSetLimits(const net::HttpRequest& request,
                                                  const tracker::Limits& in_force) {
  const std::optional<Target> target = ParseTarget(request.target);
  if (!target) return absl::InvalidArgumentError("not a path");
  tracker::SetLimits set{.limits = in_force};
  bool has_version = false;
  for (const auto& [name, text] : target->query) {
    uint64_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(name), "=", Printable(text), " is no whole number"));
    }
    if (name == "version") {
      set.replaces = value;
      has_version = true;
      continue;
    }
    if (absl::Status status = tracker::SetNamedLimit(set.limits, name, value); !status.ok()) return status;
  }
  if (!has_version) return absl::InvalidArgumentError("version is missing: the one that GET /limits tells");
  return set;
}

}  // namespace bt::nodes
