// bytetorrent cluster status, add, remove, replace, transfer: the members of a running cluster, through the
// Unix socket of a node on this machine. Each order may be given again: what is done already is not done
// twice.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "net/unix_socket.h"
#include "nodes/commands/admin_socket.h"
#include "nodes/commands/commands.h"
#include "nodes/http_api/json_api.h"
#include "nodes/http_api/uri.h"
#include "nodes/shared/json_fields.h"
#include "nodes/shared/member_address.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{100};

struct Member {
  uint32_t id = 0;
  bool votes = false;
  uint32_t replaces = 0;
  std::string contact;
};
struct Members {
  std::optional<uint32_t> leader;
  uint64_t version = 0;
  bool in_force = false;
  std::vector<Member> all;
  std::string json;

  const Member* Find(uint32_t id) const {
    for (const Member& member : all) {
      if (member.id == id) return &member;
    }
    return nullptr;
  }
};

absl::StatusOr<Members> ParseMembers(const std::string& text) {
  const auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto bad = absl::DataLossError("the node's answer is not one of this version");
  if (!json.is_object() || !json.contains("members") || !json["members"].is_array()) return bad;
  Members members;
  members.json = text;
  const auto leader = json.find("leader");
  if (leader != json.end() && leader->is_number_unsigned()) members.leader = leader->get<uint32_t>();
  members.version = NumberIn(json, "version");
  members.in_force = FlagIn(json, "in_force");
  for (const auto& one : json["members"]) {
    if (!one.is_object()) return bad;
    members.all.push_back({static_cast<uint32_t>(NumberIn(one, "id")), TextIn(one, "kind") == "voter",
                           static_cast<uint32_t>(NumberIn(one, "replaces")), TextIn(one, "contact")});
  }
  return members;
}

absl::StatusOr<Members> AskMembers(const std::string& socket) {
  const absl::StatusOr<net::HttpResponse> response = AskNode(socket, "GET", "/members");
  if (!response.ok()) return response.status();
  return ParseMembers(response->body);
}

std::string Describe(const Members& members) {
  std::string text;
  for (const Member& member : members.all) {
    absl::StrAppendFormat(&text, "node %d  %s%s", member.id, member.votes ? "votes" : "learns",
                          members.leader == member.id ? ", leads" : "");
    if (member.replaces != 0) absl::StrAppendFormat(&text, ", will replace node %d", member.replaces);
    if (!member.contact.empty()) absl::StrAppend(&text, "  at ", Printable(member.contact));
    text += "\n";
  }
  if (!members.leader) text += "this node hears no leader\n";
  if (!members.in_force) text += "the last change of the members is not in force yet\n";
  return text;
}

// An order, and how one sees that it is carried out.
struct Order {
  std::string target;
  std::function<bool(const Members&)> done;
  std::string what;  // "node 4 is a member that votes"
};

// Gives the order until it is taken, and waits until it is carried out.
ExitStatus CarryOut(const ClusterMembersOptions& options, const Order& order) {
  const std::string socket = options.socket();
  const auto deadline = Clock::now() + std::chrono::seconds(options.timeout_seconds);
  bool taken = false;
  std::string told;
  absl::Status last = absl::OkStatus();
  do {
    if (!taken) {
      const absl::StatusOr<net::HttpResponse> response = AskNode(socket, "POST", order.target);
      if (!response.ok()) return Refuse("cluster", response.status(), ExitStatus::kNoTracker);
      taken = response->status == 200;
      if (!taken) last = absl::UnavailableError(Printable(ParseReason(response->body, "error")));
      if (response->status == 400 || response->status == 404 || response->status == 409) {
        return Refuse("cluster", last);
      }
    }
    const absl::StatusOr<Members> members = AskMembers(socket);
    if (!members.ok()) return Refuse("cluster", members.status(), ExitStatus::kNoTracker);
    if (taken && order.done(*members)) {
      std::printf("%s\n", options.json ? members->json.c_str() : order.what.c_str());
      return ExitStatus::kDone;
    }
    if (const std::string now = Describe(*members); !options.json && now != told) {
      if (!told.empty()) std::fprintf(stderr, "%s\n", now.c_str());
      told = now;
    }
    std::this_thread::sleep_for(kPause);
  } while (Clock::now() < deadline);
  return Refuse("cluster", absl::DeadlineExceededError(absl::StrCat(
                               "not done after ", options.timeout_seconds, " s", last.ok() ? "" : ": ",
                               last.message(), "; the same command again goes on where the cluster is")));
}

}  // namespace

std::string ClusterMembersOptions::socket() const { return AdminSocketIn(data_dir); }

ExitStatus RunClusterStatus(const ClusterMembersOptions& options) {
  const absl::StatusOr<Members> members = AskMembers(options.socket());
  if (!members.ok()) return Refuse("cluster status", members.status(), ExitStatus::kNoTracker);
  std::fputs(options.json ? members->json.c_str() : Describe(*members).c_str(), stdout);
  return ExitStatus::kDone;
}

ExitStatus RunClusterAdd(const ClusterMembersOptions& options) {
  const auto member = ParseMember(options.node);
  if (!member.ok()) return Refuse("cluster add", member.status(), ExitStatus::kWrongUsage);
  const uint32_t id = member->first.value();
  const std::string contact = options.node.substr(options.node.find('=') + 1);
  std::string target = absl::StrCat("/members/add?id=", id, "&contact=", PercentEncode(contact));
  if (options.old != 0) absl::StrAppend(&target, "&replaces=", options.old);
  return CarryOut(options,
                  {target,
                   [&options, id](const Members& members) {
                     const Member* member = members.Find(id);
                     return member != nullptr && member->votes && members.in_force &&
                            (options.old == 0 || members.Find(options.old) == nullptr);
                   },
                   absl::StrCat("node ", id, " is a member and votes",
                                options.old == 0 ? "" : absl::StrCat(", in place of node ", options.old))});
}

ExitStatus RunClusterRemove(const ClusterMembersOptions& options) {
  return CarryOut(options, {absl::StrCat("/members/remove?id=", options.old),
                            [&options](const Members& members) {
                              return members.in_force && members.Find(options.old) == nullptr;
                            },
                            absl::StrCat("node ", options.old, " is no member any more")});
}

ExitStatus RunClusterTransfer(const ClusterMembersOptions& options) {
  const absl::StatusOr<Members> before = AskMembers(options.socket());
  if (!before.ok()) return Refuse("cluster transfer", before.status(), ExitStatus::kNoTracker);
  const std::string target = options.old == 0 ? "/leader" : absl::StrCat("/leader?to=", options.old);
  return CarryOut(options,
                  {target,
                   [&options, leader = before->leader](const Members& members) {
                     if (!members.leader) return false;
                     return options.old == 0 ? members.leader != leader : *members.leader == options.old;
                   },
                   options.old == 0 ? "another node leads" : absl::StrCat("node ", options.old, " leads")});
}

}  // namespace bt::nodes
