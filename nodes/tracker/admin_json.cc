#include "nodes/tracker/admin_json.h"

#include <optional>

#include "core/base/version.h"
#include "nodes/shared/json_text.h"

namespace bt::nodes {
namespace {

Json MemberJson(const paxos::Member& member) {
  const bool voter = member.kind == paxos::MemberKind::kVoter;
  Json json = {{"id", member.id.value()}, {"kind", voter ? "voter" : "learner"}};
  if (member.replaces != NodeId(0)) json["replaces"] = member.replaces.value();
  json["contact"] = member.contact;
  return json;
}

Json LevelJson(NodeId member, const std::optional<tracker::LevelWatch::Told>& told) {
  if (!told) return {{"id", member.value()}, {"program", nullptr}};
  return {{"id", member.value()},
          {"program", told->program},
          {"oldest", told->levels.oldest},
          {"newest", told->levels.newest}};
}

Json RowsJson(const std::vector<LimitRow>& rows) {
  Json json = Json::array();
  for (const LimitRow& row : rows) {
    json.push_back({{"name", row.name},
                    {"unit", row.unit},
                    {"value", row.value},
                    {"use", row.use ? Json(*row.use) : Json(nullptr)},
                    {"highest", row.highest ? Json(*row.highest) : Json(nullptr)},
                    {"at_limit", row.at_limit}});
  }
  return json;
}

}  // namespace

std::string MembersText(const paxos::Replica& replica) {
  const paxos::Epoch& latest = replica.members();
  Json json = {{"node", replica.config().self.value()},
               {"leader", replica.leader() ? Json(replica.leader()->value()) : Json(nullptr)},
               {"chosen", replica.chosen().value()},
               {"version", latest.membership.version},
               {"in_force", latest.from <= replica.chosen().next()},
               {"members", Json::array()}};
  for (const paxos::Member& member : latest.membership.members) {
    json["members"].push_back(MemberJson(member));
  }
  return JsonText(json) + "\n";
}

std::string LevelText(const tracker::TrackerNode& node, Instant now) {
  const NodeId self = node.config().replica.self;
  Json json = {{"node", self.value()}, {"level", node.registry().level()}, {"members", Json::array()}};
  for (const paxos::Member& member : node.replica().members().membership.members) {
    std::optional<tracker::LevelWatch::Told> told = node.levels().Of(member.id, now);
    if (member.id == self) told = {node.config().levels, kVersion, now};
    json["members"].push_back(LevelJson(member.id, told));
  }
  return JsonText(json) + "\n";
}

std::string LimitsText(const tracker::ReplicatedState& state, const std::vector<LimitRow>& own) {
  return JsonText({{"version", state.registry().state().limits_version},
                   {"agreed", RowsJson(AgreedLimits(state))},
                   {"own", RowsJson(own)}}) +
         "\n";
}

}  // namespace bt::nodes
