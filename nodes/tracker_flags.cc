#include "nodes/tracker_flags.h"

#include <absl/strings/str_cat.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/paxos/config.h"
#include "net/socket.h"
#include "nodes/text.h"

namespace bt::nodes {

namespace {

constexpr const char* kDefaultMember = "1=127.0.0.1:0/127.0.0.1:6969";

constexpr const char* kFooter = R"(
Without flags: a cluster of one for clients on http://127.0.0.1:6969, data in ./bytetorrent-tracker-data.

Examples:
  bytetorrent-tracker
  bytetorrent-tracker --id 1 --data-dir /var/lib/bytetorrent \
      --node 1=10.0.0.1:7000/10.0.0.1:6969 \
      --node 2=10.0.0.2:7000/10.0.0.2:6969 \
      --node 3=10.0.0.3:7000/10.0.0.3:6969
  (the same on the other two machines, with --id 2 and --id 3)

The first address of a node is where the other nodes reach it, the second where clients do. Port 0 for
clients picks a free port and prints it. SIGTERM or Ctrl-C stops the node in order.
Exit status: 0 stopped in order, 1 could not run, 2 wrong usage.)";

// "ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT"; an error is one line for people.
absl::StatusOr<std::pair<NodeId, TrackerMember>> ParseMember(const std::string& text) {
  const auto wrong = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("--node ", text, ": ", why,
                     "; write ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT, for example "
                     "1=10.0.0.1:7000/10.0.0.1:6969"));
  };
  const size_t equals = text.find('=');
  const size_t slash = text.find('/');
  if (equals == std::string::npos || slash == std::string::npos || slash < equals) {
    return wrong("a part is missing");
  }
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + equals, id);
  if (error != std::errc() || end != text.data() + equals || id == 0) {
    return wrong("the id must be a number from 1 on");
  }
  const auto replica = net::Resolve(std::string_view(text).substr(equals + 1, slash - equals - 1));
  if (!replica.ok()) return wrong(Message(replica.status()));
  const auto client = net::Resolve(std::string_view(text).substr(slash + 1));
  if (!client.ok()) return wrong(Message(client.status()));
  return std::pair{NodeId(id), TrackerMember{*replica, *client}};
}

// Two clusters do not share an id by accident, so that a data directory or a message of one is foreign to
// the other. A cluster of one has no address other nodes know it by.
uint64_t ClusterId(const std::string& name, const absl::btree_map<NodeId, TrackerMember>& members) {
  std::string text = absl::StrCat("name ", name);
  if (name.empty()) {
    text = "members";
    for (const auto& [id, member] : members) {
      absl::StrAppend(&text, " ", id.value(), "=", members.size() == 1 ? "alone" : member.replica.ToString());
    }
  }
  return HashBytes(text);
}

absl::StatusOr<TrackerFlags> Check(uint32_t id, bool id_given, const std::vector<std::string>& nodes,
                                   const std::string& data_dir, const std::string& cluster) {
  TrackerFlags flags;
  for (const std::string& text : nodes.empty() ? std::vector<std::string>{kDefaultMember} : nodes) {
    const auto member = ParseMember(text);
    if (!member.ok()) return member.status();
    if (!flags.members.insert(*member).second) {
      return absl::InvalidArgumentError(absl::StrCat("--node ", text, ": this id is given twice"));
    }
  }
  if (flags.members.size() > paxos::kMembersMax) {
    return absl::InvalidArgumentError(absl::StrCat("a cluster has at most ", paxos::kMembersMax, " nodes"));
  }
  flags.self = id_given ? NodeId(id) : flags.members.begin()->first;
  if (!id_given && flags.members.size() > 1) {
    return absl::InvalidArgumentError("--id is missing: say which of the --node entries this process is");
  }
  if (!flags.members.contains(flags.self)) {
    return absl::InvalidArgumentError(absl::StrCat("--id ", id, ": there is no --node ", id, "=..."));
  }
  for (const auto& [member_id, member] : flags.members) {
    if (flags.members.size() > 1 && member.replica.port == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--node ", member_id.value(), "=...: the other nodes need its replica port, 0 is none"));
    }
  }
  flags.data_dir = data_dir;
  if (data_dir.empty()) {
    flags.data_dir = flags.members.size() == 1
                         ? "bytetorrent-tracker-data"
                         : absl::StrCat("bytetorrent-tracker-data-", flags.self.value());
  }
  flags.cluster = ClusterId(cluster, flags.members);
  return flags;
}

}  // namespace

std::optional<TrackerFlags> ParseTrackerFlags(int argc, char** argv, int& exit_code) {
  CLI::App app("ByteTorrent's tracker: one node of a replicated cluster (or a cluster of one).",
               "bytetorrent-tracker");
  app.footer(kFooter);
  uint32_t id = 0;
  std::vector<std::string> nodes;
  std::string data_dir;
  std::string cluster;
  CLI::Option* id_option = app.add_option("--id", id, "which of the --node entries this process is");
  app.add_option("--node", nodes,
                 "a member of the cluster: ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT (once per member)")
      ->take_all();
  app.add_option(
      "--data-dir", data_dir,
      "where the journal is kept (default: bytetorrent-tracker-data, in a cluster with -ID behind)");
  app.add_option(
      "--cluster", cluster,
      "a name for the cluster; without it the ids and replica addresses of the members name it, and "
      "moving a node to another address makes its data directory foreign");
  // CLI11 reports by throwing; nothing thrown leaves this function.
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    exit_code = 0;
    return std::nullopt;
  } catch (const CLI::Error& error) {
    std::fprintf(stderr, "bytetorrent-tracker: %s (see bytetorrent-tracker --help)\n", error.what());
    exit_code = 2;
    return std::nullopt;
  }
  absl::StatusOr<TrackerFlags> flags = Check(id, id_option->count() > 0, nodes, data_dir, cluster);
  if (!flags.ok()) {
    std::fprintf(stderr, "bytetorrent-tracker: %s\n", Message(flags.status()).c_str());
    exit_code = 2;
    return std::nullopt;
  }
  return *std::move(flags);
}

}  // namespace bt::nodes
