#include "nodes/tracker/sentences.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <new>
#include <string_view>

namespace bt::nodes {

std::string ReadyLine(NodeId self, const std::string& clients, const std::string& nodes,
                      const std::string& data_dir) {
  return absl::StrCat("bytetorrent-tracker node ", self.value(), " listening: clients ", clients,
                      nodes.empty() ? "" : ", nodes ", nodes, ", data ", data_dir, "\n");
}

std::string RecoversLine(NodeId self, const std::string& data_dir, const std::string& clients) {
  return absl::StrCat("node ", self.value(), " recovers: it reads the journal in ", data_dir,
                      ", and answers 503 at ", clients, " meanwhile");
}

std::string LinkLine(NodeId self, NodeId peer, const Address& address, bool up, bool encrypted) {
  return absl::StrCat("node ", self.value(), up ? " has found" : " has lost", " node ", peer.value(), " at ",
                      address.ToString(), up && !encrypted ? ", in clear" : "");
}

std::string NoOwnAddressLine(NodeId self) {
  return absl::StrCat("node ", self.value(),
                      " tells clients no address of its own, because it listens on all; give --advertise "
                      "HOST:PORT to have it listed in torrents and in the status");
}

std::string CutLine(const wal::JournalRecovery& recovery, const std::string& data_dir) {
  return absl::StrCat("cut ", recovery.cut_bytes, " bytes of an interrupted write off the journal in ",
                      data_dir, ": ", recovery.cut_why);
}

std::string MembersLine(NodeId self, const paxos::Membership& members) {
  std::string text;
  for (const paxos::Member& member : members.members) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", member.id.value(),
                    member.kind == paxos::MemberKind::kLearner ? " (learns)" : "");
  }
  return absl::StrCat("node ", self.value(), ": the members are now ", text, ", version ", members.version);
}

void EndWithASentenceWithoutMemory() {
  std::set_new_handler([] {
    constexpr std::string_view kSentence =
        "bytetorrent-tracker: out of memory: this node holds what is registered and claimed, its last "
        "snapshot "
        "and the log behind it; allow it more and start it again: nothing acknowledged is lost\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kSentence.data(), kSentence.size());
    ::_exit(1);
  });
}

absl::Status About(const char* port, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(port, ": ", status.message()));
}

}  // namespace bt::nodes
