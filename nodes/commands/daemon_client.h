#pragma once

// DaemonClient: asks a daemon through its control socket, and follows one of its transfers for a user who
// waits. Blocking.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "nodes/commands/daemon_commands.h"
#include "nodes/shared/json_text.h"

namespace bt::nodes {

class DaemonClient {
 public:
  // nullopt: none is asked for (--alone), or there is no default one. kUnavailable: the one that was named
  // does not answer.
  static absl::StatusOr<std::optional<DaemonClient>> Find(const ControlOptions& control);

  // The JSON of a good answer; else the daemon's sentence. `body` empty: none.
  absl::StatusOr<Json> Ask(const char* method, std::string target, std::string body = {}) const;
  const std::string& socket() const { return socket_; }

 private:
  explicit DaemonClient(std::string socket) : socket_(std::move(socket)) {}

  std::string socket_;
};

// "/transfers/ID", and what is asked of it.
std::string TransferPath(uint64_t id, std::string_view verb = {});

// Tells of the transfer as `command` does when it works alone, until it is done, failed or gone, or, of an
// offer, until the trackers know of it. SIGINT and SIGTERM end the following and not the transfer.
ExitStatus Follow(const DaemonClient& daemon, uint64_t id, const char* command, bool json);

}  // namespace bt::nodes
