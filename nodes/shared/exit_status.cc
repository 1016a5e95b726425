#include "nodes/shared/exit_status.h"

#include <signal.h>

#include <cstdio>

#include "nodes/shared/refusal.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

ExitStatus StoppedBy(int signal) {
  return signal == SIGTERM ? ExitStatus::kTerminated : ExitStatus::kInterrupted;
}

ExitStatus Refuse(const char* command, const absl::Status& why, ExitStatus status) {
  if (RefusesInJson()) {
    KeepRefusal(why.code(), Message(why));
    return status;
  }
  std::fprintf(stderr, "bytetorrent %s: %s\n", command, Printable(Message(why)).c_str());
  return status;
}

}  // namespace bt::nodes
