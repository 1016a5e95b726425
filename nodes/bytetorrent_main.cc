// bytetorrent: the client's command line.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "nodes/commands.h"
#include "nodes/text.h"
#include "nodes/torrent_commands/bytetorrent_create.h"
#include "nodes/torrent_commands/bytetorrent_inspect.h"

namespace bt::nodes {
namespace {

constexpr const char* kFooter = R"(
A file is created into a torrent, registered with the trackers, offered, and downloaded elsewhere:

  bytetorrent create music.mp3 --tracker http://10.0.0.1:6969 --tracker http://10.0.0.2:6969
  bytetorrent register music.mp3.torrent
  bytetorrent offer music.mp3 music.mp3.torrent
  bytetorrent download music.mp3.torrent -o copy.mp3

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 failed, 2 wrong usage.
"bytetorrent COMMAND --help" shows a command's options and an example.)";

struct Options {
  CreateOptions create;
  RegisterOptions registration;
  OfferOptions offer;
  DownloadOptions download;
  InspectOptions inspect;
  StatusOptions status;
  ClusterInitOptions cluster_init;
};

void AddTrackers(CLI::App* command, std::vector<std::string>& trackers, const char* help) {
  // One value each, so that a file name may follow.
  command->add_option("--tracker", trackers, help)
      ->type_name("URL")
      ->take_all()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::App* AddCreate(CLI::App& app, CreateOptions& options) {
  CLI::App* command = app.add_subcommand("create", "make a .torrent from a file");
  command->footer(
      "\nExample:\n  bytetorrent create music.mp3 --tracker http://127.0.0.1:6969 -o music.torrent");
  command->add_option("FILE", options.file, "the data file")->required();
  command->add_option("--name", options.name, "the torrent's name (default: the file's)");
  AddTrackers(command, options.trackers, "a tracker of the torrent, http://HOST:PORT; may be repeated");
  command->add_option("--piece-length", options.piece_length,
                      "bytes per piece, a power of two from 16384 on");
  command->add_option("--format", options.format, "hybrid, v1 or v2 (default: hybrid)");
  command->add_option("-o,--output", options.output, "the .torrent to write (default: NAME.torrent)");
  return command;
}

CLI::App* AddRegister(CLI::App& app, RegisterOptions& options) {
  CLI::App* command = app.add_subcommand("register", "give a torrent to the tracker cluster, for good");
  command->footer("\nExample:\n  bytetorrent register music.torrent");
  command->add_option("TORRENT", options.torrent, "the .torrent file")->required();
  AddTrackers(command, options.trackers, "ask this tracker before the torrent's own; may be repeated");
  command->add_flag("--json", options.json, "a line of JSON instead of text");
  return command;
}

CLI::App* AddOffer(CLI::App& app, OfferOptions& options) {
  CLI::App* command =
      app.add_subcommand("offer", "serve a file to whoever downloads its torrent, until Ctrl-C");
  command->footer("\nExample:\n  bytetorrent offer music.mp3 music.torrent --listen 0.0.0.0:6881");
  command->add_option("FILE", options.file, "the data file")->required();
  command->add_option("TORRENT", options.torrent, "its .torrent file")->required();
  command->add_option(
      "--listen", options.listen,
      "HOST:PORT where peers connect; host 0.0.0.0: the address trackers see; port 0: any free one "
      "(default: 0.0.0.0:0)");
  AddTrackers(command, options.trackers, "use this tracker before the torrent's own; may be repeated");
  command->add_flag("--skip-verify", options.skip_verify,
                    "offer without comparing the file with the torrent first");
  command->add_flag("--json", options.json, "lines of JSON instead of text");
  return command;
}

CLI::App* AddDownload(CLI::App& app, DownloadOptions& options) {
  CLI::App* command =
      app.add_subcommand("download", "fetch a torrent's file from every peer that has parts of it");
  command->footer(
      "\nThe file grows as PATH.part and gets its name once it is verified and synced. An existing PATH is "
      "left\n"
      "alone. Interrupted, the same command goes on where it stopped.\n\nExamples:\n"
      "  bytetorrent download music.torrent -o copy.mp3\n"
      "  bytetorrent download music.mp3 --tracker http://127.0.0.1:6969");
  command
      ->add_option("TORRENT", options.what,
                   "a .torrent file, or the name, content id or info-hash of a registered torrent")
      ->required();
  command->add_option("-o,--output", options.output,
                      "file to make, or directory to put it in (default: its name, here)");
  command->add_option("--listen", options.listen,
                      "HOST:PORT where peers connect (default: 0.0.0.0:0, any free port)");
  AddTrackers(command, options.trackers,
              "use this tracker before the torrent's own; may be repeated (for a name: default "
              "http://127.0.0.1:6969)");
  command->add_flag("--keep-offering", options.keep_offering,
                    "go on serving the file after the download, until Ctrl-C");
  command->add_flag("--json", options.json, "lines of JSON instead of text");
  return command;
}

CLI::App* AddInspect(CLI::App& app, InspectOptions& options) {
  CLI::App* command = app.add_subcommand("inspect", "show what a .torrent says");
  command->footer("\nExample:\n  bytetorrent inspect music.torrent --json");
  command->add_option("TORRENT", options.torrent, "the .torrent file")->required();
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
  command->add_flag("--json", options.json, "a line of JSON per node");
  return command;
}

// The subcommand init of the command cluster.
CLI::App* AddClusterInit(CLI::App& app, ClusterInitOptions& options) {
  CLI::App* cluster = app.add_subcommand("cluster", "prepare a new tracker cluster");
  cluster->require_subcommand(1);
  CLI::App* command =
      cluster->add_subcommand("init", "draw the secret that the nodes of a new cluster share");
  command->footer(
      "\nOnce per cluster. Copy the file to every node, give it to \"bytetorrent-tracker init\" there, and "
      "keep "
      "it\n"
      "from others: who has it can speak as a node.\n\nExample:\n"
      "  bytetorrent cluster init -o cluster.secret");
  command->add_option("-o,--output", options.output, "the file to make; it must not exist")->required();
  return command;
}

int Main(int argc, char** argv) {
  PrepareProcess();
  if (const std::string wrong = EmptyArgument(argc, argv); !wrong.empty()) {
    std::fprintf(stderr, "bytetorrent: %s (see bytetorrent --help)\n", wrong.c_str());
    return 2;
  }
  Options options;
  CLI::App app("ByteTorrent: files from many machines to many machines, with trackers that do not die.",
               "bytetorrent");
  app.footer(kFooter);
  app.require_subcommand(1);
  const CLI::App* create = AddCreate(app, options.create);
  const CLI::App* registration = AddRegister(app, options.registration);
  const CLI::App* offer = AddOffer(app, options.offer);
  const CLI::App* download = AddDownload(app, options.download);
  const CLI::App* inspect = AddInspect(app, options.inspect);
  const CLI::App* status = AddStatus(app, options.status);
  const CLI::App* cluster_init = AddClusterInit(app, options.cluster_init);
  const auto named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
    std::fprintf(stderr, "bytetorrent: unknown command '%s' (see bytetorrent --help for the commands)\n",
                 Printable(argv[1]).c_str());
    return 2;
  }
  // CLI11 reports by throwing; nothing thrown leaves this function.
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::Error& error) {
    std::fprintf(stderr, "bytetorrent: %s (see bytetorrent --help)\n", error.what());
    return 2;
  }
  if (create->parsed()) return RunCreate(options.create);
  if (registration->parsed()) return RunRegister(options.registration);
  if (offer->parsed()) return RunOffer(options.offer);
  if (download->parsed()) return RunDownload(options.download);
  if (inspect->parsed()) return RunInspect(options.inspect);
  if (status->parsed()) return RunStatus(options.status);
  if (cluster_init->parsed()) return RunClusterInit(options.cluster_init);
  return 2;
}

}  // namespace
}  // namespace bt::nodes

int main(int argc, char** argv) { return bt::nodes::Main(argc, argv); }
