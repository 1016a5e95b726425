#include "nodes/tracker/tracker_flags.h"

#include <absl/strings/str_cat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/version.h"
#include "core/paxos/config.h"
#include "nodes/shared/command_line.h"
#include "nodes/shared/command_pages.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace {

constexpr const char* kDefaultMember = "1=127.0.0.1:0/127.0.0.1:6969";

constexpr const char* kFooter = R"(
Without flags: a cluster of one for clients on http://127.0.0.1:6969, data in ./bytetorrent-tracker-data, which
is made where it is not there. In any other case a node serves only from a directory that init has prepared.

Examples:
  bytetorrent-tracker
  bytetorrent cluster init -o cluster.secret
  bytetorrent-tracker init --cluster-secret cluster.secret --id 1 --data-dir /var/lib/bytetorrent \
      --node 1=10.0.0.1:7000/10.0.0.1:6969 \
      --node 2=10.0.0.2:7000/10.0.0.2:6969 \
      --node 3=10.0.0.3:7000/10.0.0.3:6969
  bytetorrent-tracker --id 1 --data-dir /var/lib/bytetorrent \
      --node 1=10.0.0.1:7000/10.0.0.1:6969 \
      --node 2=10.0.0.2:7000/10.0.0.2:6969 \
      --node 3=10.0.0.3:7000/10.0.0.3:6969
  (the same on the other two machines, with the same cluster.secret and --id 2 and --id 3)

The first address of a node is where the other nodes reach it, the second where clients do; a node listens at
its own. Hosts may be names, which are looked up again whenever a node is connected to. Where a node listens and
where it is reached may differ: its own --node may say 0.0.0.0 or [::], the other nodes' flags the address they
reach it at, and --advertise the one clients do. Port 0 for clients picks a free port and prints it. Clients' port is also taken for UDP (--no-udp). SIGTERM or Ctrl-C stops the node in order.
Exit status: 0 stopped in order, 1 could not run, 2 wrong usage.)";

constexpr const char* kInitFooter = R"(
Takes the flags that serving takes, in any order. Once for each node of a new cluster, never again: a node whose
data are lost has forgotten what it acknowledged, and must not vote as if it were new.

Example:
  bytetorrent-tracker init --cluster-secret cluster.secret --id 1 --data-dir /var/lib/bytetorrent \
      --node 1=10.0.0.1:7000/10.0.0.1:6969 \
      --node 2=10.0.0.2:7000/10.0.0.2:6969 \
      --node 3=10.0.0.3:7000/10.0.0.3:6969
  bytetorrent-tracker init --join --cluster-secret cluster.secret --id 4 --data-dir /var/lib/bytetorrent \
      --node 4=10.0.0.4:7000/10.0.0.4:6969 \
      --node 1=10.0.0.1:7000/10.0.0.1:6969
  bytetorrent-tracker init --from-backup tracker.backup --data-dir /var/lib/bytetorrent)";

// As CLI11 has read them.
struct Given {
  bool init = false;
  bool join = false;
  std::string walcat;
  std::optional<uint32_t> id;
  std::vector<std::string> nodes;
  std::string advertise;
  std::string data_dir;
  std::string cluster_secret;
  std::string from_backup;
  uint32_t snapshot_after_mib = TrackerFlags().snapshot_after_mib;
  uint32_t disk_reserve_mib = kDiskReserveMib;
  uint32_t memory_limit_mib = 0;
  uint32_t newest_level = tracker::kNewestLevel;
  std::string announce_keys;
  std::string tokens;
  std::string tls_certificate;
  std::string tls_key;
  std::string replica_tls = "required";
  bool no_udp = false;
  std::string log_format = "text";
  std::string record;
  uint32_t record_limit_mib = TrackerFlags().record_limit_mib;
};

absl::StatusOr<absl::btree_map<NodeId, MemberAddress>> ParseMembers(const std::vector<std::string>& nodes) {
  absl::btree_map<NodeId, MemberAddress> members;
  for (const std::string& text : nodes.empty() ? std::vector<std::string>{kDefaultMember} : nodes) {
    const auto member = ParseMember(text);
    if (!member.ok()) return absl::InvalidArgumentError(absl::StrCat("--node ", Message(member.status())));
    if (!members.insert(*member).second) {
      return absl::InvalidArgumentError(absl::StrCat("--node ", text, ": this id is given twice"));
    }
  }
  if (members.size() > paxos::kMembersMax) {
    return absl::InvalidArgumentError(absl::StrCat("a cluster has at most ", paxos::kMembersMax, " nodes"));
  }
  for (const auto& [id, member] : members) {
    if (members.size() > 1 && member.replica.port == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--node ", id.value(), "=...: the other nodes need its replica port, 0 is none"));
    }
  }
  return members;
}

absl::StatusOr<std::optional<net::HostAndPort>> ParseAdvertised(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const absl::StatusOr<net::HostAndPort> advertise = net::HostAndPort::Parse(text);
  if (!advertise.ok() || advertise->port == 0 || advertise->IsAnywhere()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--advertise ", text,
                     ": give the HOST:PORT that clients connect to, for example tracker.example:6969"));
  }
  return *advertise;
}

net::ReplicaTlsMode ReplicaTlsModeOf(const std::string& name) {
  if (name == "off") return net::ReplicaTlsMode::kOff;
  return name == "offered" ? net::ReplicaTlsMode::kOffered : net::ReplicaTlsMode::kRequired;
}

absl::StatusOr<TrackerFlags> Check(const Given& given) {
  if (!given.walcat.empty()) return TrackerFlags{.walcat = given.walcat};
  auto members = ParseMembers(given.nodes);
  if (!members.ok()) return members.status();
  auto advertise = ParseAdvertised(given.advertise);
  if (!advertise.ok()) return advertise.status();
  TrackerFlags flags{.init = given.init,
                     .join = given.join,
                     .embedded = given.nodes.empty(),
                     .members = *std::move(members),
                     .advertise = *std::move(advertise),
                     .data_dir = given.data_dir,
                     .cluster_secret = given.cluster_secret,
                     .from_backup = given.from_backup,
                     .snapshot_after_mib = given.snapshot_after_mib,
                     .disk_reserve_mib = given.disk_reserve_mib,
                     .memory_limit_mib = given.memory_limit_mib,
                     .newest_level = given.newest_level,
                     .announce_keys = given.announce_keys,
                     .tokens = given.tokens,
                     .tls_certificate = given.tls_certificate,
                     .tls_key = given.tls_key,
                     .replica_tls = ReplicaTlsModeOf(given.replica_tls),
                     .udp = !given.no_udp,
                     .log_format = given.log_format == "json" ? LogFormat::kJson : LogFormat::kText,
                     .record = given.record,
                     .record_limit_mib = given.record_limit_mib};
  const bool alone = flags.members.size() == 1;
  flags.self = given.id ? NodeId(*given.id) : flags.members.begin()->first;
  if (!given.id && !alone) {
    return absl::InvalidArgumentError("--id is missing: say which of the --node entries this process is");
  }
  if (!flags.members.contains(flags.self)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--id ", *given.id, ": there is no --node ", *given.id, "=..."));
  }
  if (flags.tls_certificate.empty() != flags.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-certificate and --tls-key: give both, or none");
  }
  if (flags.join && alone) {
    return absl::InvalidArgumentError(
        "--join: give a --node entry for this node and at least one for a member of the cluster");
  }
  if (flags.join && !flags.from_backup.empty()) {
    return absl::InvalidArgumentError(
        "--join and --from-backup: a node that joins gets what there is from the others");
  }
  if (flags.init && !alone && flags.cluster_secret.empty()) {
    return absl::InvalidArgumentError(
        "--cluster-secret is missing: make the file once with \"bytetorrent cluster init -o FILE\" and give "
        "every node the same");
  }
  if (flags.data_dir.empty()) {
    flags.data_dir =
        alone ? "bytetorrent-tracker-data" : absl::StrCat("bytetorrent-tracker-data-", flags.self.value());
  }
  return flags;
}

void AddDiskFlags(CLI::App& app, Given& given) {
  app.add_option(
         "--snapshot-after", given.snapshot_after_mib,
         "save the state when the log since the last time has so many MiB, and is as long as the state; "
         "the journal is cut then (default: 64)")
      ->check(CLI::Range(1u, 1u << 20))
      ->type_name("MIB");
  app.add_option("--disk-reserve", given.disk_reserve_mib,
                 absl::StrCat("while the data directory's file system has fewer MiB free, a node that leads "
                              "refuses writes, or lets one lead that has room (default: ",
                              kDiskReserveMib, ", at least ", kDiskReserveMibMin, ")"))
      ->check(CLI::Range(kDiskReserveMibMin, 1u << 20))
      ->type_name("MIB");
}

void AddMemoryFlag(CLI::App& app, Given& given) {
  app.add_option("--memory-limit", given.memory_limit_mib,
                 "of the process, in MiB: what it keeps for clients beside the cluster's tables is a part of "
                 "it (default: three quarters of the machine's memory, or of the control group's; at least "
                 "128; see `bytetorrent cluster limits`)")
      ->check(CLI::Range(1u, 1u << 30))
      ->type_name("MIB");
}

void AddRecordFlags(CLI::App& app, Given& given) {
  app.add_option("--record", given.record,
                 "keep all that the node is told and does in this file, for `simrun conform`; one that is "
                 "there is kept as FILE.old")
      ->type_name("FILE");
  app.add_option("--record-limit", given.record_limit_mib,
                 absl::StrCat("what the recording may have; it ends there, and the node goes on (default: ",
                              given.record_limit_mib, ")"))
      ->check(CLI::Range(1u, 1u << 20))
      ->type_name("MIB");
}

void AddLogFlag(CLI::App& app, Given& given) {
  app.add_option("--log-format", given.log_format, "of the lines on stderr: text (default) or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
}

void AddLevelFlag(CLI::App& app, Given& given) {
  app.add_option("--newest-level", given.newest_level,
                 absl::StrCat("read no format newer than this one, so that the cluster stays at it and older "
                              "releases can come back (default: ",
                              tracker::kNewestLevel, "; see `bytetorrent cluster level`)"))
      ->check(CLI::Range(tracker::kFirstLevel, tracker::kNewestLevel))
      ->type_name("LEVEL");
}

void AddTrustFlags(CLI::App& app, Given& given) {
  app.add_option("--tokens", given.tokens,
                 "who may ask what over HTTP: lines of \"bytetorrent token new\", read again upon SIGHUP "
                 "(default: whoever reaches the node may do everything)")
      ->type_name("FILE");
  app.add_option(
         "--announce-keys", given.announce_keys,
         "announces and scrapes need a key in their path, /KEY/announce, and none come over UDP: lines "
         "of \"bytetorrent token new NAME announce\", read again upon SIGHUP (default: no key)")
      ->type_name("FILE");
  app.add_option(
         "--tls-certificate", given.tls_certificate,
         "clients connect with TLS and are shown this certificate, in PEM with those that lead to its "
         "authority behind it; read again upon SIGHUP (default: no TLS)")
      ->type_name("FILE");
  app.add_option("--tls-key", given.tls_key, "the key of --tls-certificate, in PEM without a pass phrase")
      ->type_name("FILE");
  app.add_option(
         "--replica-tls", given.replica_tls,
         "whether nodes speak TLS to each other, with certificates that they make of the cluster's "
         "secret: required (default), offered (in clear with a node that does not; for the upgrade of "
         "a cluster from a release without it), off")
      ->check(CLI::IsMember({"required", "offered", "off"}))
      ->type_name("MODE");
}

CLI::App* AddInit(CLI::App& app, Given& given) {
  CLI::App* init =
      app.add_subcommand("init", "write the first state of a node into its data directory, and end");
  init->fallthrough();
  init->footer(kInitFooter);
  init->add_flag(
      "--join", given.join,
      "the cluster is there already, and \"bytetorrent cluster add\" will make this node its member; "
      "the id must be one that no member ever had");
  init->add_option(
          "--cluster-secret", given.cluster_secret,
          "the file of \"bytetorrent cluster init\", the same for every node (a cluster of one draws "
          "its own secret without it)")
      ->type_name("FILE");
  init->add_option(
          "--from-backup", given.from_backup,
          "the cluster begins with what this file of \"bytetorrent cluster backup\" or \"recover\" holds: "
          "the same file for every node, and a new secret")
      ->type_name("FILE");
  return init;
}

// nullopt: as ParseTrackerFlags.
std::optional<Given> Read(int argc, char** argv, int& exit_code) {
  Given given;
  CLI::App app("ByteTorrent's tracker: one node of a replicated cluster (or a cluster of one).",
               "bytetorrent-tracker");
  app.footer(kFooter);
  app.set_version_flag("--version",
                       absl::StrCat("bytetorrent-tracker ", kVersion, " (", tracker::LevelsText({}), ")"));
  AddPages(app, /*section=*/8, kVersion);
  app.add_option("--id", given.id, "which of the --node entries this process is")->type_name("ID");
  app.add_option("--node", given.nodes,
                 "a member of the cluster: ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT (once per member)")
      ->type_name("MEMBER")
      ->take_all();
  app.add_option("--advertise", given.advertise,
                 "HOST:PORT where clients reach this node, if it is not where it listens (an address that a "
                 "router forwards; any name)")
      ->type_name("HOST:PORT");
  app.add_option(
         "--data-dir", given.data_dir,
         "where the node's state is kept (default: bytetorrent-tracker-data, in a cluster with -ID behind)")
      ->type_name("DIR");
  app.add_flag("--no-udp", given.no_udp,
               "take no announces over UDP (BEP 15), which is done at the same port number as over HTTP");
  AddTrustFlags(app, given);
  AddDiskFlags(app, given);
  AddMemoryFlag(app, given);
  AddLevelFlag(app, given);
  AddRecordFlags(app, given);
  AddLogFlag(app, given);
  const CLI::App* init = AddInit(app, given);
  app.add_subcommand(
         "walcat", "print what a journal holds, say whether it is whole (exit status 1: it is not), and end")
      ->add_option("DATA_DIR", given.walcat, "a data directory, or what was set aside in one")
      ->required();
  ShowValuesAsWords(app);
  // CLI11 reports by throwing; nothing thrown leaves this function.
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    exit_code = app.exit(help_or_version);
    return std::nullopt;
  } catch (const CLI::Error& error) {
    std::fprintf(stderr, "%s\n", WrongUsage(app, error).c_str());
    exit_code = 2;
    return std::nullopt;
  }
  given.init = init->parsed();
  return given;
}

}  // namespace

std::optional<TrackerFlags> ParseTrackerFlags(int argc, char** argv, int& exit_code) {
  exit_code = 2;
  if (const std::string wrong = EmptyArgument(argc, argv); !wrong.empty()) {
    std::fprintf(stderr, "bytetorrent-tracker: %s (see bytetorrent-tracker --help)\n", wrong.c_str());
    return std::nullopt;
  }
  const std::optional<Given> given = Read(argc, argv, exit_code);
  if (!given) return std::nullopt;
  absl::StatusOr<TrackerFlags> flags = Check(*given);
  if (!flags.ok()) {
    std::fprintf(stderr, "bytetorrent-tracker: %s\n", Message(flags.status()).c_str());
    return std::nullopt;
  }
  return *std::move(flags);
}

}  // namespace bt::nodes
