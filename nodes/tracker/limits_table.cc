#include "nodes/tracker/limits_table.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "core/tracker/limit_names.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/call_router.h"

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
  const auto most = [&](auto Share::*shown, uint32_t Share::*by) -> std::optional<uint64_t> {
    const std::vector<tracker::Source> largest = registry.shares().Largest(by, 1);
    if (largest.empty()) return std::nullopt;
    return registry.shares().Of(largest[0]).*shown;
  };
  return {
      {"metainfo.pieces", {}, "registrations are answered 400"},
      {"metainfo.piece_length", {}, "registrations are answered 400"},
      {"metainfo.name_bytes", {}, "registrations are answered 400"},
      {"metainfo.foreign_info_hashes", {}, "registrations are answered 400"},
      {"torrents", registry.torrents(), kRegistrations},
      {"names_per_content", {}, kRegistrations},
      {"info_hashes_per_content", {}, kRegistrations},
      {"claims_per_content", {}, kClaims},
      {"claims", registry.claims(), kClaims},
      {"bytes", registry.accounted_bytes(), kClaims},
      {"sessions", state.sessions().size(), "mutations of new sessions are answered 503"},
      {"source_claims", most(&Share::claims, &Share::claims), kOwnClaims},
      {"source_claims_per_content", {}, kOwnClaims},
      {"source_claim_bytes", most(&Share::claim_bytes, &Share::claims), kOwnClaims},
      {"source_names", most(&Share::names, &Share::names), kRegistrations},
      {"source_registered_bytes", most(&Share::registered_bytes, &Share::names), kRegistrations},
  };
}

}  // namespace

std::vector<LimitRow> AgreedLimits(const tracker::ReplicatedState& state) {
  const std::vector<Meaning> meanings = Meanings(state);
  std::vector<LimitRow> rows;
  for (tracker::NamedLimit& limit : tracker::NamedLimits(state.registry().limits())) {
    LimitRow& row = rows.emplace_back(LimitRow{std::move(limit.name), limit.unit, limit.value, {}, {}});
    for (const Meaning& meaning : meanings) {
      if (meaning.name != row.name) continue;
      row.use = meaning.use;
      row.at_limit = meaning.at_limit;
    }
  }
  return rows;
}

std::vector<LimitRow> OwnLimits(const net::HttpServer& server, const LocalLimits& limits,
                                const tracker::TrackerNode& node, size_t calls_under_way) {
  const tracker::Config& config = node.config();
  const tracker::Waiting waiting = node.waiting();
  return {
      {"memory", "bytes", limits.memory, ResidentBytes(), "(the next ones are parts of it)"},
      {"connections", "", limits.clients.connections, server.connections().now(), "an idle one makes room"},
      {"connections_per_address",
       "",
       limits.clients.connections_per_address,
       {},
       "an idle one of it makes room"},
      {"calls_under_way", "", kCallLimit, calls_under_way, "requests are answered 503"},
      {"unsent_bytes", "bytes", limits.clients.unsent, server.unsent().now(), "who reads nothing is closed"},
      {"unfinished_bytes", "bytes", limits.clients.receiving, server.receiving().now(),
       "the address with most loses one"},
      {"mutation_bytes", "bytes", config.pending_bytes_max, {}, "mutations are answered 503"},
      {"mutations", "", config.pending_max, waiting.mutations, "mutations are answered 503"},
      {"reads", "", config.reads_max, waiting.reads, "linearizable reads are answered 503"},
      {"shipped_values", "", config.bulk_messages_max / 2, node.shipments().under_way(),
       "the next ones wait"},
      {"shipped_bytes", "bytes", config.shipped_bytes_max, node.shipments().under_way_bytes(),
       "the next ones wait"},
      {"held_values", "", config.bulk_messages_max, node.held_values().count(), "the oldest are forgotten"},
      {"held_values_bytes", "bytes", config.held_values_bytes_max, node.held_values().bytes(),
       "the oldest are forgotten"},
      {"orders", "", config.orders_max, waiting.orders, "the operator's orders are answered 503"},
  };
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
