// bytetorrent cluster level: the format level that the cluster has agreed on, and which levels each member's
// program reads. It rises by itself (core/tracker/level_watch.h); this tells what it waits for.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "nodes/commands/admin_socket.h"
#include "nodes/commands/commands.h"
#include "nodes/http_api/json_api.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr const char* kCommand = "cluster level";

bool IsAnswer(const Json& answer) {
  if (!answer.is_object() || !answer.contains("level") || !answer["level"].is_number_unsigned()) return false;
  if (!answer.contains("members") || !answer["members"].is_array()) return false;
  for (const Json& member : answer["members"]) {
    if (!member.is_object() || !member.contains("id") || !member["id"].is_number_unsigned()) return false;
    if (!member.contains("program") || !(member["program"].is_null() || member["program"].is_string()))
      return false;
    if (member["program"].is_null()) continue;
    for (const char* field : {"oldest", "newest"})
      if (!member.contains(field) || !member[field].is_number_unsigned()) return false;
  }
  return true;
}

// What keeps the level from rising; empty: nothing does.
std::string WaitsFor(const Json& answer) {
  uint64_t newest = 0;
  for (const Json& member : answer["members"])
    if (!member["program"].is_null()) newest = std::max(newest, member["newest"].get<uint64_t>());
  if (newest <= answer["level"].get<uint64_t>()) return {};
  std::vector<std::string> reasons;
  for (const Json& member : answer["members"]) {
    const uint64_t id = member["id"].get<uint64_t>();
    if (member["program"].is_null()) {
      reasons.push_back(absl::StrCat("node ", id, " has not been heard of lately"));
    } else if (member["newest"].get<uint64_t>() < newest) {
      reasons.push_back(absl::StrCat("node ", id, " reads up to level ", member["newest"].get<uint64_t>()));
    }
  }
  if (reasons.empty()) return absl::StrCat("it is about to rise to level ", newest);
  std::string text = absl::StrCat("level ", newest, " waits: ");
  for (size_t i = 0; i < reasons.size(); ++i) absl::StrAppend(&text, i == 0 ? "" : "; ", reasons[i]);
  return text;
}

}  // namespace

ExitStatus RunClusterLevel(const ClusterMembersOptions& options) {
  const absl::StatusOr<net::HttpResponse> response = AskNode(options.socket(), "GET", "/level");
  if (!response.ok()) return Refuse(kCommand, response.status(), ExitStatus::kNoTracker);
  if (response->status != 200) {
    return Refuse(kCommand, absl::InvalidArgumentError(Printable(ParseReason(response->body, "error"))));
  }
  const Json answer = Json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  if (!IsAnswer(answer))
    return Refuse(kCommand, absl::DataLossError("the node's answer is not one of this version"));
  if (options.json) {
    std::printf("%s\n", JsonText(answer).c_str());
    return ExitStatus::kDone;
  }
  std::printf("format level %llu is in force\n%-5s %-12s %s\n",
              static_cast<unsigned long long>(answer["level"].get<uint64_t>()), "NODE", "PROGRAM", "READS");
  for (const Json& member : answer["members"]) {
    const bool known = !member["program"].is_null();
    const std::string program = known ? Printable(member["program"].get<std::string>()) : "-";
    const std::string reads = known ? absl::StrFormat("%d to %d", member["oldest"].get<uint64_t>(),
                                                      member["newest"].get<uint64_t>())
                                    : std::string("not heard of lately");
    std::printf("%s\n",
                absl::StrFormat("%-5d %-12s %s", member["id"].get<uint64_t>(), program, reads).c_str());
  }
  if (const std::string waits = WaitsFor(answer); !waits.empty()) std::printf("%s\n", waits.c_str());
  return ExitStatus::kDone;
}

}  // namespace bt::nodes
