#pragma once

// The exit statuses of bytetorrent and bytetorrent-tracker: what a script may rely on. This is their only
// list; --help prints kExitStatusHelp and README.md repeats it.

#include <absl/status/status.h>

namespace bt::nodes {

enum class ExitStatus : int {
  kDone = 0,           // also when what was asked for is there already and right
  kFailed = 1,         // for a reason without a number of its own
  kWrongUsage = 2,     // the command line cannot be meant: nothing was tried
  kNotFound = 3,       // the cluster knows no such torrent
  kNobodyHasIt = 4,    // no peer had (the rest of) it within --timeout
  kBoundToOther = 5,   // the name belongs to other content, for good
  kNoTracker = 6,      // no tracker answers, or none that can answer for the cluster
  kInterrupted = 130,  // by SIGINT (Ctrl-C) before it was done
  kTerminated = 143,   // by SIGTERM before it was done
};

inline constexpr char kExitStatusHelp[] =
    "Exit status: 0 done (also: already there and right), 1 failed, 2 wrong usage, 3 no such torrent is\n"
    "registered, 4 nobody has it within --timeout, 5 the name is bound to other content, 6 no tracker\n"
    "answers, 130 or 143 interrupted by Ctrl-C or SIGTERM.";

// Of a command that SIGINT or SIGTERM has ended before it was done.
ExitStatus StoppedBy(int signal);

// "bytetorrent COMMAND: message" on stderr, always one line: what would break the line or steer a terminal
// is shown as ?. With --json it is kept for the end instead (refusal.h). Returns `status`, so that a command
// can end with it.
ExitStatus Refuse(const char* command, const absl::Status& why, ExitStatus status = ExitStatus::kFailed);

}  // namespace bt::nodes
