// bytetorrent: the client's command line.

#include <absl/strings/str_cat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <utility>

#include "core/base/version.h"
#include "nodes/commands/commands.h"
#include "nodes/commands/create_command.h"
#include "nodes/commands/inspect_command.h"
#include "nodes/daemon_command_line.h"
#include "nodes/shared/command_line.h"
#include "nodes/shared/command_pages.h"
#include "nodes/shared/refusal.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr const char* kFooter = R"(
A file is created into a torrent, registered with the trackers, offered, and downloaded elsewhere:

  bytetorrent create music.mp3 --tracker http://10.0.0.1:6969 --tracker http://10.0.0.2:6969
  bytetorrent register music.mp3.torrent
  bytetorrent offer music.mp3 music.mp3.torrent
  bytetorrent download music.mp3.torrent -o copy.mp3

Results go to stdout, progress and errors to stderr. With --json all is JSON on stdout: what fails ends with
{"event":"failed","command":...,"error":WORD,"exit_status":N,"reason":...}.
"bytetorrent COMMAND --help" shows a command's options and an example.
)";

struct Options {
  CreateOptions create;
  RegisterOptions registration;
  OfferOptions offer;
  DownloadOptions download;
  ControlOptions control;  // of offer and download
  DaemonCommandOptions daemon;
  InspectOptions inspect;
  StatusOptions status;
  TokenNewOptions token_new;
  ClusterInitOptions cluster_init;
  ClusterMembersOptions cluster_members;
  ClusterLimitsOptions cluster_limits;
  ClusterBackupOptions cluster_backup;
};

void AddUrls(CLI::App* command, const char* name, std::vector<std::string>& urls, const char* help) {
  // One value each, so that a file name may follow.
  command->add_option(name, urls, help)
      ->type_name("URL")
      ->take_all()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void AddTrackers(CLI::App* command, std::vector<std::string>& trackers, const char* help) {
  AddUrls(command, "--tracker", trackers, help);
}

// Files, and never the token: command lines and environments are read by others, and kept in histories.
void AddTrust(CLI::App* command, TrustOptions& options) {
  command
      ->add_option("--token-file", options.token_file,
                   "a file with the token to show to the trackers named with --tracker (default: "
                   "$BYTETORRENT_TOKEN_FILE, if set)")
      ->type_name("FILE")
      ->envname("BYTETORRENT_TOKEN_FILE");
  command
      ->add_option("--ca", options.authorities_file,
                   "trust the certificates that these authorities vouch for, in PEM, and no others (default: "
                   "the system's)")
      ->type_name("FILE");
}

CLI::App* AddCreate(CLI::App& app, CreateOptions& options) {
  CLI::App* command = app.add_subcommand("create", "make a .torrent from a file or a directory");
  command->footer(
      "\nExample:\n  bytetorrent create music.mp3 --tracker http://127.0.0.1:6969 -o music.torrent");
  command->add_option("FILE", options.file, "the data file, or a directory of them")->required();
  command->add_option("--name", options.name, "the torrent's name (default: the file's)")->type_name("NAME");
  AddTrackers(command, options.trackers,
              "a tracker of the torrent: http://HOST:PORT, https:// or udp://, or with a key that is for "
              "whoever gets the torrent, http://HOST:PORT/KEY/announce; may be repeated");
  AddUrls(
      command, "--web-seed", options.web_seeds,
      "a web server that has it, http:// or https://: the file's URL, or one that ends in / and the name is "
      "appended; may be repeated");
  AddBytes(command, "--piece-length", options.piece_length,
           "bytes per piece, a power of two from 16K on (default: by the length)");
  command->add_option("--format", options.format, "hybrid, v1 or v2 (default: hybrid)")->type_name("FORMAT");
  command->add_option("-o,--output", options.output, "the .torrent to write (default: NAME.torrent)")
      ->type_name("FILE");
  return command;
}

CLI::App* AddRegister(CLI::App& app, RegisterOptions& options) {
  CLI::App* command = app.add_subcommand("register", "give a torrent to the tracker cluster, for good");
  command->footer("\nExample:\n  bytetorrent register music.torrent");
  command->add_option("TORRENT", options.torrent, "the .torrent file")->required();
  AddTrackers(command, options.trackers,
              "ask this tracker before the torrent's own, http:// or https://; may be repeated");
  AddTrust(command, options.trust);
  command->add_flag("--json", options.json, "a line of JSON instead of text");
  return command;
}

void AddUploadLimit(CLI::App* command, uint64_t& limit) {
  AddBytes(command, "--upload-limit", limit,
           "at most so many bytes a second to all peers together, as 500K or 2M (default: no limit)");
}

CLI::App* AddOffer(CLI::App& app, OfferOptions& options, ControlOptions& control) {
  CLI::App* command =
      app.add_subcommand("offer", "serve a file to whoever downloads its torrent, until Ctrl-C");
  command->footer("\nExample:\n  bytetorrent offer music.mp3 music.torrent --listen 0.0.0.0:6881");
  command->add_option("FILE", options.file, "the data file, or the directory")->required();
  command->add_option("TORRENT", options.torrent, "its .torrent file")->required();
  AddListen(command, options.listen);
  AddTrackers(command, options.trackers,
              "use this tracker before the torrent's own, http://, https:// or udp://; may be repeated");
  AddTrust(command, options.trust);
  AddUploadLimit(command, options.upload_limit);
  command->add_flag("--skip-verify", options.skip_verify,
                    "offer without comparing the file with the torrent first");
  AddDaemonChoice(command, control);
  command->add_flag("--json", options.json, "lines of JSON instead of text");
  return command;
}

CLI::App* AddDownload(CLI::App& app, DownloadOptions& options, ControlOptions& control) {
  CLI::App* command =
      app.add_subcommand("download", "fetch a torrent's file from every peer that has parts of it");
  command->footer(
      "\nThe file grows as PATH.part and gets its name once it is verified and synced. An existing PATH is "
      "left\n"
      "alone; if it holds the torrent's content, nothing is left to do. Interrupted, the same command goes "
      "on where it stopped.\n\nExamples:\n"
      "  bytetorrent download music.torrent -o copy.mp3\n"
      "  bytetorrent download music.mp3 --tracker http://127.0.0.1:6969\n"
      "  bytetorrent download photos --select 'summer/*.jpg' --select notes.txt\n"
      "  bytetorrent download 'magnet:?xt=urn:btih:...&tr=http://127.0.0.1:6969' -o copy.mp3");
  command
      ->add_option("TORRENT", options.what,
                   "a .torrent file, a magnet link, or the name, content id or info-hash of a registered "
                   "torrent")
      ->required();
  command
      ->add_option("-o,--output", options.output,
                   "file to make, or directory to put it in (default: its name, here)")
      ->type_name("PATH");
  command
      ->add_option("--select", options.select,
                   "of a directory only these files: a path in it, or a pattern (* and ? stop at /, ** does "
                   "not); may be repeated")
      ->type_name("PATTERN")
      ->take_all()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  AddListen(command, options.listen);
  AddTrackers(
      command, options.trackers,
      "use this tracker before the torrent's own, http://, https:// or udp://; may be repeated (for a name: "
      "not udp://, default http://127.0.0.1:6969)");
  AddTrust(command, options.trust);
  AddUploadLimit(command, options.upload_limit);
  AddBytes(command, "--download-limit", options.download_limit,
           "the same of what comes from all peers together");
  command->add_flag("--keep-offering", options.keep_offering,
                    "go on serving the file after the download, until Ctrl-C");
  command
      ->add_option("--timeout", options.timeout_seconds,
                   "give up when nothing has arrived from anybody for so long (default: wait)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 1'000'000));
  AddDaemonChoice(command, control);
  command->add_flag("--json", options.json, "lines of JSON instead of text");
  return command;
}

CLI::App* AddInspect(CLI::App& app, InspectOptions& options) {
  CLI::App* command = app.add_subcommand("inspect", "show what a .torrent or a magnet link says");
  command->footer("\nExample:\n  bytetorrent inspect music.torrent --json");
  command->add_option("TORRENT", options.torrent, "the .torrent file, or a magnet link")->required();
  command->add_flag("--json", options.json, "a line of JSON instead of text");
  return command;
}

CLI::App* AddStatus(CLI::App& app, StatusOptions& options) {
  CLI::App* command =
      app.add_subcommand("status", "show what every node of the tracker cluster says about itself");
  command->footer("\nExample:\n  bytetorrent status --tracker http://127.0.0.1:6969");
  AddTrackers(
      command, options.trackers,
      "a node to ask (the others are found through it); may be repeated (default: http://127.0.0.1:6969)");
  AddTrust(command, options.trust);
  command->add_flag("--json", options.json, "a line of JSON per node");
  return command;
}

// The subcommand new of the command token.
CLI::App* AddTokenNew(CLI::App& token, TokenNewOptions& options) {
  CLI::App* command = token.add_subcommand("new", "draw a token, and print the line that trackers must know");
  command->footer(
      "\nroles: read, offer (and withdraw), register, admin (everything), with commas between several. Each "
      "includes\nread. announce: the token is a key for announces of ordinary clients, "
      "http://HOST:PORT/KEY/announce, and\nits line is for --announce-keys. Append the printed line to the "
      "file of bytetorrent-tracker --tokens at every node, "
      "and "
      "give the\ntoken's file to whoever shall have it.\n\nExample:\n"
      "  bytetorrent token new alice offer,register -o alice.token >> tokens");
  command->add_option("NAME", options.name, "whose token it is, for the nodes' logs")->required();
  command->add_option("ROLES", options.roles, "what it is for: read, offer, register, announce, admin")
      ->required();
  command
      ->add_option("-o,--output", options.output,
                   "the file to make for the token (default: NAME.token); it must not exist")
      ->type_name("FILE");
  return command;
}

// The subcommand init of the command cluster.
CLI::App* AddClusterInit(CLI::App& cluster, ClusterInitOptions& options) {
  CLI::App* command = cluster.add_subcommand("init", "draw the secret that the nodes of a new cluster share");
  command->footer(
      "\nOnce per cluster. Copy the file to every node, give it to \"bytetorrent-tracker init\" there, and "
      "keep "
      "it\n"
      "from others: who has it can speak as a node.\n\nExample:\n"
      "  bytetorrent cluster init -o cluster.secret");
  command->add_option("-o,--output", options.output, "the file to make; it must not exist")
      ->type_name("FILE")
      ->required();
  return command;
}

constexpr const char* kDataDirOfNode =
    "of a node of the cluster that runs on this machine (default: bytetorrent-tracker-data)";

void AddDataDir(CLI::App* command, std::string& directory, const char* of) {
  command->add_option("--data-dir", directory, of)->type_name("DIR");
}

struct ClusterMembersCommands {
  const CLI::App* status;
  const CLI::App* add;
  const CLI::App* remove;
  const CLI::App* replace;
  const CLI::App* transfer;
  const CLI::App* snapshot;
  const CLI::App* level;
};

ClusterMembersCommands AddClusterMembers(CLI::App& cluster, ClusterMembersOptions& options) {
  const auto add = [&](const char* name, const char* what, const char* footer) {
    CLI::App* command = cluster.add_subcommand(name, what);
    command->footer(footer);
    AddDataDir(command, options.data_dir, kDataDirOfNode);
    command->add_flag("--json", options.json, "the members as a line of JSON");
    return command;
  };
  const auto wait = [&](CLI::App* command) {
    command
        ->add_option("--timeout", options.timeout_seconds, "how long to wait until it is done (default: 60)")
        ->type_name("SECONDS");
  };
  CLI::App* status = add("status", "show the members as a node on this machine knows them",
                         "\nExample:\n  bytetorrent cluster status --data-dir /var/lib/bytetorrent");
  CLI::App* join =
      add("add", "make a node a member, which votes when it has caught up",
          "\nThe node was initialised with \"bytetorrent-tracker init --join\" and runs.\n\nExample:\n"
          "  bytetorrent cluster add 4=10.0.0.4:7000/10.0.0.4:6969 --data-dir /var/lib/bytetorrent");
  join->add_option("node", options.node, "ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT")->required();
  wait(join);
  CLI::App* remove = add("remove", "let a node be a member no longer, also one that leads or is gone",
                         "\nExample:\n  bytetorrent cluster remove 3 --data-dir /var/lib/bytetorrent");
  remove->add_option("id", options.old, "the node")->required();
  wait(remove);
  CLI::App* replace =
      add("replace", "put a new node in the place of a member, also of one that is gone",
          "\nThe new node was initialised with \"bytetorrent-tracker init --join\" and runs.\n\nExample:\n"
          "  bytetorrent cluster replace 3 4=10.0.0.4:7000/10.0.0.4:6969 --data-dir /var/lib/bytetorrent");
  replace->add_option("id", options.old, "the member that goes")->required();
  replace->add_option("node", options.node, "ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT of the new node")
      ->required();
  wait(replace);
  CLI::App* transfer = add("transfer", "let another member lead",
                           "\nExample:\n  bytetorrent cluster transfer 2 --data-dir /var/lib/bytetorrent");
  transfer->add_option("id", options.old, "who shall lead (default: whoever is nearest)");
  wait(transfer);
  CLI::App* snapshot =
      add("snapshot", "have a node on this machine save its state now, and cut its journal",
          "\nNodes do so by themselves. What was acknowledged before is in the snapshot.\n\nExample:\n"
          "  bytetorrent cluster snapshot --data-dir /var/lib/bytetorrent");
  CLI::App* level =
      add("level", "show the format level in force, and which levels each member's release reads",
          "\nIt rises by itself when every member reads the next one, and never falls; a node started with\n"
          "\"bytetorrent-tracker --newest-level N\" holds it at N.\n\nExample:\n"
          "  bytetorrent cluster level --data-dir /var/lib/bytetorrent");
  return {status, join, remove, replace, transfer, snapshot, level};
}

CLI::App* AddClusterLimits(CLI::App& cluster, ClusterLimitsOptions& options) {
  CLI::App* command = cluster.add_subcommand("limits", "show the limits of the cluster, or agree on others");
  command->footer(
      "\nWhat the cluster agrees on holds for all nodes from one place in the log on; what a node limits "
      "for\n"
      "its own sake is shown beside it. What is held beyond a lowered limit stays until it runs out.\n\n"
      "Example:\n"
      "  bytetorrent cluster limits --set source_names=200000 --data-dir /var/lib/bytetorrent");
  AddDataDir(command, options.node.data_dir, kDataDirOfNode);
  command->add_option("--set", options.set, "agree on another value; may be given several times")
      ->type_name("NAME=VALUE");
  command->add_flag("--json", options.node.json, "the limits as a line of JSON");
  return command;
}

struct ClusterBackupCommands {
  const CLI::App* backup;
  const CLI::App* recover;
};

ClusterBackupCommands AddClusterBackup(CLI::App& cluster, ClusterBackupOptions& options) {
  const auto add = [&](const char* name, const char* what, const char* of, const char* footer) {
    CLI::App* command = cluster.add_subcommand(name, what);
    command->footer(footer);
    AddDataDir(command, options.node.data_dir, of);
    command->add_option("-o,--output", options.output, "the file to make; it must not exist")
        ->type_name("FILE")
        ->required();
    command->add_flag("--json", options.node.json, "what it holds as a line of JSON");
    return command;
  };
  CLI::App* backup =
      add("backup", "write everything that the cluster has acknowledged into a file, while it goes on",
          kDataDirOfNode,
          "\nA new cluster begins of it: \"bytetorrent-tracker init --from-backup FILE\" at each of its "
          "nodes, with a\n"
          "new secret.\n\nExample:\n"
          "  bytetorrent cluster backup --data-dir /var/lib/bytetorrent -o tracker.backup");
  CLI::App* recover =
      add("recover", "make a backup of what one node holds, when a majority of the nodes is lost for good",
          "of a node that does not run (default: bytetorrent-tracker-data)",
          "\nThe last resort: what the lost nodes acknowledged without this one is not in it. Of several "
          "nodes that are\n"
          "left take the one whose file holds the highest slot. A new cluster begins of the file, with a new "
          "secret:\n"
          "\"bytetorrent-tracker init --from-backup FILE\" at each of its nodes.\n\nExample:\n"
          "  bytetorrent cluster recover --data-dir /var/lib/bytetorrent -o tracker.backup");
  return {backup, recover};
}

struct ClusterCommands {
  const CLI::App* init = nullptr;
  ClusterMembersCommands members;
  const CLI::App* limits = nullptr;
  ClusterBackupCommands copies;
};

ClusterCommands AddCluster(CLI::App& app, Options& options) {
  CLI::App* cluster = app.add_subcommand("cluster", "prepare a tracker cluster, and change its members");
  cluster->require_subcommand(1);
  ClusterCommands commands;
  commands.init = AddClusterInit(*cluster, options.cluster_init);
  commands.members = AddClusterMembers(*cluster, options.cluster_members);
  commands.limits = AddClusterLimits(*cluster, options.cluster_limits);
  commands.copies = AddClusterBackup(*cluster, options.cluster_backup);
  return commands;
}

// nullopt: it is none of these.
std::optional<ExitStatus> RunClusterCommand(const ClusterCommands& commands, const Options& options) {
  const ClusterMembersCommands& members = commands.members;
  if (commands.init->parsed()) return RunClusterInit(options.cluster_init);
  if (commands.limits->parsed()) return RunClusterLimits(options.cluster_limits);
  if (members.level->parsed()) return RunClusterLevel(options.cluster_members);
  if (members.status->parsed()) return RunClusterStatus(options.cluster_members);
  if (members.add->parsed() || members.replace->parsed()) return RunClusterAdd(options.cluster_members);
  if (members.remove->parsed()) return RunClusterRemove(options.cluster_members);
  if (members.snapshot->parsed()) return RunClusterSnapshot(options.cluster_members);
  if (members.transfer->parsed()) return RunClusterTransfer(options.cluster_members);
  if (commands.copies.backup->parsed()) return RunClusterBackup(options.cluster_backup);
  if (commands.copies.recover->parsed()) return RunClusterRecover(options.cluster_backup);
  return std::nullopt;
}

// What is wrong with a command line of which nothing was tried.
int RefuseUsage(int argc, char** argv, std::string command, const std::string& sentence) {
  if (!MayAskForJson(argc, argv)) {
    std::fprintf(stderr, "%s\n", sentence.c_str());
  } else {
    RefuseInJson(std::move(command));
    KeepRefusal(absl::StatusCode::kInvalidArgument, sentence);
  }
  return Ended(ExitStatus::kWrongUsage);
}

// Adds the commands, reads the command line, and does what it asks for.
int ParseAndRun(CLI::App& app, Options& options, int argc, char** argv) {
  const CLI::App* create = AddCreate(app, options.create);
  const CLI::App* registration = AddRegister(app, options.registration);
  const CLI::App* offer = AddOffer(app, options.offer, options.control);
  const CLI::App* download = AddDownload(app, options.download, options.control);
  const DaemonCommands daemon = AddDaemonCommands(app, options.daemon);
  const CLI::App* inspect = AddInspect(app, options.inspect);
  const CLI::App* status = AddStatus(app, options.status);
  CLI::App* token = app.add_subcommand("token", "make tokens for trackers that want them");
  token->require_subcommand(1);
  const CLI::App* token_new = AddTokenNew(*token, options.token_new);
  const ClusterCommands cluster = AddCluster(app, options);
  ShowValuesAsWords(app);
  // CLI11 reports by throwing; nothing thrown leaves this function.
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::Error& error) {
    return RefuseUsage(argc, argv, CommandWords(app), WrongUsage(app, error));
  }
  if (AsksForJson(app)) RefuseInJson(CommandWords(app));
  if (create->parsed()) return Ended(RunCreate(options.create));
  if (registration->parsed()) return Ended(RunRegister(options.registration));
  if (offer->parsed()) return Ended(OfferHereOrThere(options.control, options.offer));
  if (download->parsed()) return Ended(DownloadHereOrThere(options.control, options.download));
  if (const std::optional<ExitStatus> done = RunDaemonCommand(daemon, options.daemon)) return Ended(*done);
  if (inspect->parsed()) return Ended(RunInspect(options.inspect));
  if (status->parsed()) return Ended(RunStatus(options.status));
  if (token_new->parsed()) return Ended(RunTokenNew(options.token_new));
  return Ended(RunClusterCommand(cluster, options).value_or(ExitStatus::kWrongUsage));
}

int Main(int argc, char** argv) {
  PrepareProcess();
  if (const std::string wrong = EmptyArgument(argc, argv); !wrong.empty()) {
    return RefuseUsage(argc, argv, "", absl::StrCat("bytetorrent: ", wrong, " (see bytetorrent --help)"));
  }
  Options options;
  CLI::App app("ByteTorrent: files from many machines to many machines, with trackers that do not die.",
               "bytetorrent");
  app.footer(absl::StrCat(kFooter, kExitStatusHelp));
  app.set_version_flag("--version", absl::StrCat("bytetorrent ", kVersion));
  AddPages(app, /*section=*/1, kVersion);
  app.require_subcommand(1);
  return ParseAndRun(app, options, argc, argv);
}

}  // namespace
}  // namespace bt::nodes

int main(int argc, char** argv) { return bt::nodes::Main(argc, argv); }
