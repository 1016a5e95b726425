#include "nodes/tracker/cluster_json.h"

#include <algorithm>
#include <optional>

#include "core/base/version.h"
#include "nodes/shared/json_text.h"
#include "nodes/tracker/memory.h"

namespace bt::nodes {
namespace {

// Of a member, the watermark it last told this node; nullopt: this node neither is it nor leads it.
std::optional<Slot> ChosenAt(NodeId member, const paxos::Replica& replica) {
  if (member == replica.config().self) return replica.chosen();
  return replica.leading() == nullptr ? std::nullopt : replica.leading()->watermark_of(member);
}

Json MemberJson(const paxos::Member& member, const ClusterSources& sources) {
  const paxos::Replica& replica = sources.node.replica();
  const bool self = member.id == replica.config().self;
  Json json = {{"id", member.id.value()},
               {"kind", member.kind == paxos::MemberKind::kVoter ? "voter" : "learner"},
               {"connected", self || (sources.links != nullptr && sources.links->connected(member.id))}};
  for (const ClusterNode& client : sources.clients) {
    if (client.id == member.id) json["client"] = client.client;
  }
  const std::optional<tracker::LevelWatch::Told> told = sources.node.levels().Of(member.id, sources.now);
  if (self || told) json["program"] = self ? std::string(kVersion) : told->program;
  if (const std::optional<Slot> chosen = ChosenAt(member.id, replica)) {
    json["chosen"] = chosen->value();
    // A follower does not know how far behind its leader it is, beyond what it has heard to be chosen.
    if (replica.is_leader()) {
      json["lag"] = *chosen < replica.chosen() ? replica.chosen() - *chosen : uint64_t{0};
    }
  }
  return json;
}

Json OwnJson(const ClusterSources& sources) {
  const tracker::TrackerNode& node = sources.node;
  const std::optional<uint64_t> free = node.disk().free_bytes();
  return {{"applied_lag", node.replica().chosen() - node.applied()},
          {"disk_free_bytes", free ? Json(*free) : Json(nullptr)},
          {"disk_reserve_bytes", node.config().disk_reserve_bytes},
          {"disk_low", node.disk().low()},
          {"journal_bytes", sources.journal.bytes},
          {"snapshot_bytes", node.replica().snapshot().bytes()},
          {"resident_bytes", ResidentBytes()},
          {"connections", sources.http.connections().now()},
          {"requests_total", sources.http.counters().requests}};
}

}  // namespace

std::string ClusterText(const ClusterSources& sources) {
  const paxos::Replica& replica = sources.node.replica();
  Json json = {{"node", replica.config().self.value()},
               {"leader", replica.leader() ? Json(replica.leader()->value()) : Json(nullptr)},
               {"members", Json::array()},
               {"own", OwnJson(sources)}};
  for (const paxos::Member& member : replica.members().membership.members) {
    json["members"].push_back(MemberJson(member, sources));
  }
  return JsonText(json) + "\n";
}

}  // namespace bt::nodes
