#include "nodes/daemon_command_line.h"

#include <absl/strings/str_cat.h>

#include <cmath>
#include <map>
#include <string>
#include <string_view>

namespace bt::nodes {
namespace {

CLI::Option* AddControl(CLI::App* command, std::string& socket, const char* what) {
  return command->add_option("--control", socket, what)->type_name("SOCKET");
}

constexpr const char* kControlHelp =
    "the daemon's control socket (default: $XDG_RUNTIME_DIR/bytetorrent/control.sock)";

void AddSeedLimits(CLI::App* command, SeedLimits& limits, const std::string& of) {
  const std::map<std::string, uint32_t> units = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  command
      ->add_option("--seed-time", limits.seconds,
                   absl::StrCat("once whole, offer for so long and end, as 90m or 2h; 0: for ever", of))
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::CASE_INSENSITIVE, "TIME"))
      ->check(CLI::Range(uint32_t{0}, kSeedSecondsMax))
      ->type_name("TIME");
  command
      ->add_option_function<double>(
          "--seed-ratio",
          [&limits](double ratio) { limits.permille = static_cast<uint32_t>(std::lround(ratio * 1000)); },
          absl::StrCat("the same once so many times its length was given to peers, as 2.0", of))
      ->check(CLI::Range(0.0, kSeedRatioMax / 1000.0))
      ->type_name("RATIO");
}

CLI::App* AddDaemon(CLI::App& app, DaemonOptions& options) {
  CLI::App* command =
      app.add_subcommand("daemon", "transfer many torrents in one process, as other commands ask");
  command->footer(
      "\nWhere it runs, offer and download leave their work to it, and list, watch, pause, resume, remove "
      "and "
      "limit\nspeak with it. Killed at any moment, it goes on where it was when it is started "
      "again.\n\nExample:\n"
      "  bytetorrent daemon --state-dir /var/lib/bytetorrent-daemon");
  command
      ->add_option("--state-dir", options.state_dir,
                   "where it remembers its transfers; made if it is not there")
      ->type_name("DIR")
      ->required();
  AddControl(command, options.control,
             "the socket at which it is asked (default: $XDG_RUNTIME_DIR/bytetorrent/control.sock, or "
             "control.sock in the state directory)");
  AddListen(command, options.listen);
  AddBytes(
      command, "--upload-limit", options.upload_limit,
      "at most so many bytes a second to all peers of all transfers together (default: what was set last)");
  AddBytes(command, "--download-limit", options.download_limit,
           "the same of what comes from all peers together");
  command
      ->add_option("--serve-data", options.serve_data,
                   "where contents are read over HTTP while they download, by whoever reaches it, as "
                   "127.0.0.1:8080 (default: at the control socket alone)")
      ->type_name("HOST:PORT");
  command
      ->add_option("--on-complete", options.on_complete,
                   "run it for each download that is complete, without a shell, as PROGRAM ID NAME PATH")
      ->type_name("PROGRAM");
  AddSeedLimits(command, options.seed, "; of transfers that say nothing else (default: what was set last)");
  return command;
}

DaemonCommands AddTransferCommands(CLI::App& app, TransferCommandOptions& options, LimitOptions& limits) {
  const auto add = [&](const char* name, const char* what, TransferCommandOptions& into) {
    CLI::App* command = app.add_subcommand(name, what);
    command->footer(absl::StrCat("\nExample:\n  bytetorrent ", name,
                                 name == std::string_view("list") ? "" : " 3",
                                 name == std::string_view("limit") ? " --upload-limit 2M" : ""));
    AddControl(command, into.control.socket, kControlHelp);
    command->add_flag("--json", into.json, "the daemon's answer as JSON");
    return command;
  };
  const auto add_one = [&](const char* name, const char* what) {
    CLI::App* command = add(name, what, options);
    command->add_option("ID", options.id, "the transfer, as list shows it")->required();
    return command;
  };
  const CLI::App* list = add("list", "show what the daemon on this machine transfers", options);
  const CLI::App* watch = add_one("watch", "follow a transfer of the daemon until it is done");
  const CLI::App* pause = add_one("pause", "have the daemon stop a transfer, and keep it");
  const CLI::App* resume = add_one("resume", "have the daemon go on with a transfer");
  const CLI::App* remove = add_one("remove", "have the daemon forget a transfer; files stay where they are");
  CLI::App* limit = add("limit", "set the daemon's limits, or those of one transfer", limits.transfer);
  limit->add_option("ID", limits.transfer.id, "the transfer (default: all of them together)");
  const auto add_rate = [&](const char* name, std::optional<uint64_t>& rate, const char* what) {
    limit->add_option(name, rate, what)
        ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
        ->type_name("BYTES");
  };
  add_rate("--upload-limit", limits.upload,
           "bytes a second to all peers together, as 500K or 2M; 0: no limit");
  add_rate("--download-limit", limits.download, "the same of what comes from all peers together");
  AddSeedLimits(limit, limits.seed, "");
  return {nullptr, list, watch, pause, resume, remove, limit};
}

}  // namespace

void AddListen(CLI::App* command, std::string& listen) {
  command
      ->add_option(
          "--listen", listen,
          "HOST:PORT where peers connect; host 0.0.0.0 or [::]: the address trackers see; port 0: any "
          "free one (default: [::]:0, every address of this machine)")
      ->type_name("HOST:PORT");
}

CLI::Option* AddBytes(CLI::App* command, const char* name, uint64_t& bytes, const char* what) {
  return command->add_option(name, bytes, what)
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(CLI::Range(uint64_t{1}, kRateLimitMax))
      ->type_name("BYTES");
}

void AddDaemonChoice(CLI::App* command, ControlOptions& control) {
  CLI::Option* socket = AddControl(
      command, control.socket,
      "let this daemon do it (default: $XDG_RUNTIME_DIR/bytetorrent/control.sock, if a daemon serves it)");
  command->add_flag("--alone", control.alone, "do it in this process, also where a daemon runs")
      ->excludes(socket);
  AddSeedLimits(command, control.seed, "; for a daemon (default: as it was told)");
}

DaemonCommands AddDaemonCommands(CLI::App& app, DaemonCommandOptions& options) {
  const CLI::App* daemon = AddDaemon(app, options.daemon);
  DaemonCommands commands = AddTransferCommands(app, options.transfer, options.limit);
  commands.daemon = daemon;
  return commands;
}

std::optional<ExitStatus> RunDaemonCommand(const DaemonCommands& commands,
                                           const DaemonCommandOptions& options) {
  if (commands.daemon->parsed()) return RunDaemon(options.daemon);
  if (commands.list->parsed()) return RunList(options.transfer);
  if (commands.watch->parsed()) return RunWatch(options.transfer);
  if (commands.pause->parsed()) return RunPause(options.transfer);
  if (commands.resume->parsed()) return RunResume(options.transfer);
  if (commands.remove->parsed()) return RunRemove(options.transfer);
  if (commands.limit->parsed()) return RunLimit(options.limit);
  return std::nullopt;
}

ExitStatus OfferHereOrThere(const ControlOptions& control, const OfferOptions& options) {
  const std::optional<ExitStatus> done = OfferThroughDaemon(control, options);
  return done ? *done : RunOffer(options);
}

ExitStatus DownloadHereOrThere(const ControlOptions& control, const DownloadOptions& options) {
  const std::optional<ExitStatus> done = DownloadThroughDaemon(control, options);
  return done ? *done : RunDownload(options);
}

}  // namespace bt::nodes
