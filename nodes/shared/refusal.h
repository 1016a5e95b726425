#pragma once

// What a command says to a program that reads it (--json) when it ends with another status than kDone: one
// line of JSON on stdout, and nothing on stderr. A process is one command, so this is the process's state.
// Main thread only.

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "nodes/shared/exit_status.h"

namespace bt::nodes {

// The stable word for programs, README.md's table: that of the exit status, and of kFailed, which has many
// reasons, that of the kind of error.
std::string_view RefusalWord(ExitStatus status, absl::StatusCode code);

// Every refusal of this process is told in JSON from now on, as that of `command` ("cluster add"). So is an
// end by SIGINT or SIGTERM, where no net::Loop waits for them.
void RefuseInJson(std::string command);
bool RefusesInJson();

// What Ended tells. Of several the first one's `code` counts, and all sentences are told.
void KeepRefusal(absl::StatusCode code, std::string_view sentence);

// For main: the number to exit with. Prints
//   {"event":"failed","command":"register","error":"name_taken","exit_status":5,"reason":"..."}
// when refusals are told in JSON and `status` is not kDone.
int Ended(ExitStatus status);

}  // namespace bt::nodes
