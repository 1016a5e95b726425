#include "nodes/tracker/met_peers.h"

#include <absl/strings/str_cat.h>

#include <optional>

#include "core/base/fields.h"
#include "nodes/shared/files.h"
#include "nodes/tracker/sealed_state.h"

namespace bt::nodes {
namespace {

constexpr const char* kName = "peers";

struct File {
  absl::btree_map<NodeId, uint64_t> met;

  static constexpr void Fields(auto& self, auto&& visit) { visit("met", self.met); }
};

std::string PathIn(const std::string& directory) { return absl::StrCat(directory, "/", kName); }

}  // namespace

absl::StatusOr<MetPeers> MetPeers::Read(const std::string& directory) {
  MetPeers peers(directory);
  const absl::StatusOr<std::string> text = ReadSmallFile(PathIn(directory));
  if (absl::IsNotFound(text.status())) return peers;
  if (!text.ok()) return text.status();
  const std::optional<std::string> body = OpenState(kName, *text);
  auto file = Decode<File>(Slice::Copy(body.value_or("")));
  if (!body || !file.ok()) {
    return absl::DataLossError(
        absl::StrCat(PathIn(directory),
                     " is damaged; restore it from a copy, or, when no node of this cluster "
                     "was ever initialised a second time, remove it"));
  }
  peers.met_ = std::move(file->met);
  return peers;
}

bool MetPeers::MayMeet(NodeId peer, uint64_t incarnation) const {
  const auto found = met_.find(peer);
  return found == met_.end() || found->second == incarnation;
}

absl::Status MetPeers::Meet(NodeId peer, uint64_t incarnation) {
  if (met_.contains(peer)) return absl::OkStatus();
  File file{met_};
  file.met.emplace(peer, incarnation);
  const absl::Status status = WriteFileAtomically(PathIn(directory_), SealState(kName, Encode(file)));
  if (status.ok()) met_ = std::move(file.met);
  return status;
}

}  // namespace bt::nodes
