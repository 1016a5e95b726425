// bytetorrent cluster limits: the limits that a node on this machine works under, and changes of those that
// are agreed on.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdio>
#include <string>

#include "nodes/commands/admin_socket.h"
#include "nodes/commands/commands.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr const char* kCommand = "cluster limits";

std::string NumberOrNothing(const Json& value) {
  return value.is_null() ? "" : absl::StrCat(value.get<uint64_t>());
}

void PrintRows(const char* title, const Json& rows) {
  std::printf("%s\n%-30s %15s %-8s %12s %12s  %s\n", title, "NAME", "VALUE", "UNIT", "USE", "HIGHEST",
              "AT THE LIMIT");
  for (const Json& row : rows) {
    std::printf("%s\n", absl::StrFormat("%-30s %15d %-8s %12s %12s  %s", row["name"].get<std::string>(),
                                        row["value"].get<uint64_t>(), row["unit"].get<std::string>(),
                                        NumberOrNothing(row["use"]), NumberOrNothing(row["highest"]),
                                        row["at_limit"].get<std::string>())
                            .c_str());
  }
}

bool IsTable(const Json& rows) {
  if (!rows.is_array()) return false;
  for (const Json& row : rows) {
    if (!row.is_object() || !row.contains("name") || !row["name"].is_string()) return false;
    if (!row.contains("value") || !row["value"].is_number_unsigned() || !row.contains("unit")) return false;
    if (!row["unit"].is_string() || !row.contains("at_limit") || !row["at_limit"].is_string()) return false;
    for (const char* number : {"use", "highest"})
      if (!row.contains(number) || !(row[number].is_null() || row[number].is_number_unsigned())) return false;
  }
  return true;
}

// The answer, or why there is none.
absl::StatusOr<Json> AskLimits(const std::string& socket, const char* method, const std::string& target) {
  const absl::StatusOr<net::HttpResponse> response = AskNode(socket, method, target);
  if (!response.ok()) return response.status();
  if (response->status != 200) {
    return absl::InvalidArgumentError(Printable(ParseReason(response->body, "error")));
  }
  Json limits = Json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  const bool known = limits.is_object() && limits.contains("version") &&
                     limits["version"].is_number_unsigned() && limits.contains("agreed") &&
                     IsTable(limits["agreed"]) && limits.contains("own") && IsTable(limits["own"]);
  if (!known) return absl::DataLossError("the node's answer is not one of this version");
  return limits;
}

}  // namespace

ExitStatus RunClusterLimits(const ClusterLimitsOptions& options) {
  const std::string socket = options.node.socket();
  absl::StatusOr<Json> limits = AskLimits(socket, "GET", "/limits");
  if (!limits.ok()) return Refuse(kCommand, limits.status(), ExitStatus::kNoTracker);
  if (!options.set.empty()) {
    // Of the version that was just seen: what another operator changes meanwhile is not undone unseen.
    std::string target = absl::StrCat("/limits?version=", (*limits)["version"].get<uint64_t>());
    for (const std::string& one : options.set) {
      const size_t equals = one.find('=');
      if (equals == std::string::npos) {
        return Refuse(kCommand,
                      absl::InvalidArgumentError(
                          absl::StrCat("--set takes NAME=VALUE, as in claims=1000000, not ", Printable(one))),
                      ExitStatus::kWrongUsage);
      }
      absl::StrAppend(&target, "&", PercentEncode(one.substr(0, equals)), "=",
                      PercentEncode(one.substr(equals + 1)));
    }
    limits = AskLimits(socket, "POST", target);
    if (!limits.ok()) return Refuse(kCommand, limits.status());
  }
  if (options.node.json) {
    std::printf("%s\n", JsonText(*limits).c_str());
    return ExitStatus::kDone;
  }
  PrintRows(absl::StrCat("agreed on by the cluster, version ", (*limits)["version"].get<uint64_t>()).c_str(),
            (*limits)["agreed"]);
  PrintRows("\nof this node alone", (*limits)["own"]);
  return ExitStatus::kDone;
}

}  // namespace bt::nodes
