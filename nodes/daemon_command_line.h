#pragma once

// The part of bytetorrent's command line that is about a daemon, and options that it shares with the rest.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "nodes/commands/commands.h"
#include "nodes/commands/daemon_commands.h"
#include "nodes/daemon/daemon.h"

namespace bt::nodes {

struct DaemonCommandOptions {
  DaemonOptions daemon;
  TransferCommandOptions transfer;
  LimitOptions limit;
};
struct DaemonCommands {
  const CLI::App* daemon;
  const CLI::App* list;
  const CLI::App* watch;
  const CLI::App* pause;
  const CLI::App* resume;
  const CLI::App* remove;
  const CLI::App* limit;
};
// The commands daemon, list, watch, pause, resume, remove and limit.
DaemonCommands AddDaemonCommands(CLI::App& app, DaemonCommandOptions& options);
// Runs the one of them that was given; nullopt: none was.
std::optional<ExitStatus> RunDaemonCommand(const DaemonCommands& commands,
                                           const DaemonCommandOptions& options);

// Of a command that leaves its work to a daemon where one runs.
void AddDaemonChoice(CLI::App* command, ControlOptions& control);
ExitStatus OfferHereOrThere(const ControlOptions& control, const OfferOptions& options);
ExitStatus DownloadHereOrThere(const ControlOptions& control, const DownloadOptions& options);

void AddListen(CLI::App* command, std::string& listen);
// As "64K" or "2M", in powers of 1024, or a plain number.
CLI::Option* AddBytes(CLI::App* command, const char* name, uint64_t& bytes, const char* what);

}  // namespace bt::nodes
