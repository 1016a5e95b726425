#include "nodes/commands/cluster_agreement.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <optional>

namespace bt::nodes {
namespace {

std::string Name(const NodeAnswer& answer) {
  return absl::StrCat("node ", answer.status.node.value(), " (", answer.url, ")");
}

std::string MembersText(const NodeAnswer& answer) {
  return absl::StrJoin(answer.status.members, " ",
                       [](std::string* out, NodeId id) { absl::StrAppend(out, id.value()); });
}

std::optional<Disagreement> Compare(const NodeAnswer& a, const NodeAnswer& b) {
  if (a.cluster != b.cluster && !a.cluster.empty() && !b.cluster.empty()) {
    return Disagreement{absl::StrCat(Name(a), " belongs to cluster ", a.cluster, " and ", Name(b),
                                     " to cluster ", b.cluster, ": ask each cluster by itself")};
  }
  if (a.status.members != b.status.members) {
    return Disagreement{absl::StrCat(Name(a), " counts nodes ", MembersText(a), " as the cluster and ",
                                     Name(b), " counts ", MembersText(b),
                                     ": every node must be started with the same --node flags")};
  }
  if (a.status.applied == b.status.applied && a.status.registry_digest != b.status.registry_digest) {
    return Disagreement{absl::StrFormat(
        "%s and %s have applied the same %d slots with different results (digests %016x and %016x): one of "
        "them has lost or changed what was acknowledged; stop the one that differs from the others, keep its "
        "data directory, and start it anew from them",
        Name(a), Name(b), a.status.applied.value(), a.status.registry_digest, b.status.registry_digest)};
  }
  if (a.status.leader && b.status.leader && *a.status.leader != *b.status.leader) {
    return Disagreement{
        absl::StrFormat("%s names node %d as the leader (ballot round %d) and %s names node %d (ballot round "
                        "%d): see whether these nodes reach each other on their replica ports",
                        Name(a), a.status.leader->value(), a.status.ballot_round, Name(b),
                        b.status.leader->value(), b.status.ballot_round),
        /*passing=*/true};
  }
  return std::nullopt;
}

}  // namespace

std::vector<Disagreement> Disagreements(const std::vector<NodeAnswer>& answers) {
  std::vector<Disagreement> found;
  for (size_t i = 0; i < answers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (auto disagreement = Compare(answers[j], answers[i])) found.push_back(*std::move(disagreement));
    }
  }
  return found;
}

}  // namespace bt::nodes
