#include "core/tracker/state_builder.h"

#include <absl/strings/str_cat.h>

#include <iterator>
#include <utility>
#include <variant>

#include "core/base/fields.h"

namespace bt::tracker {

namespace {

absl::Status Wrong(const char* what) {
  return absl::DataLossError(absl::StrCat("the tracker's state is not in order: ", what));
}

}  // namespace

absl::Status StateBuilder::Add(const Slice& bytes) {
  Decoder decoder(bytes);
  while (decoder.remaining() > 0) {
    StateItem item;
    decoder.Get("item", item);
    if (!decoder.ok()) return absl::DataLossError(decoder.status().message());
    if (!has_head_ && !std::holds_alternative<StateHead>(item))
      return Wrong("it does not begin with its head");
    absl::Status taken = std::visit([this](auto& one) { return Take(std::move(one)); }, item);
    if (!taken.ok()) return taken;
  }
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(StateHead head) {
  if (has_head_) return Wrong("it has two heads");
  if (head.format != kStateFormat) {
    return absl::DataLossError(
        absl::StrCat("the tracker's state has format ", head.format, "; this release reads ", kStateFormat));
  }
  has_head_ = true;
  registry_.limits_version = head.limits_version;
  registry_.limits = head.limits;
  registry_.log_time = head.log_time;
  registry_.bindings = head.bindings;
  sessions_.log_time = head.session_time;
  head_ = std::move(head);
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(TorrentItem item) {
  registry_.torrents.emplace_back();
  Torrent& torrent = registry_.torrents.back();
  torrent.number = item.number;
  torrent.since = item.since;
  torrent.metainfo = std::move(item.metainfo);
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(TreeItem item) {
  if (registry_.torrents.empty()) return Wrong("a tree without a torrent");
  Metainfo& metainfo = registry_.torrents.back().metainfo;
  if (!metainfo.tree.empty() || item.tree.empty()) return Wrong("a tree");
  metainfo.tree = std::move(item.tree);
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(ClaimItem item) {
  if (registry_.torrents.empty()) return Wrong("a claim without a torrent");
  auto& claims = registry_.torrents.back().claims;
  if (claims.Find(item.claim.key()) != nullptr) return Wrong("two claims of one peer");
  claims.Add(std::move(item.claim));
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(NameItem item) {
  if (!registry_.names.empty() && std::prev(registry_.names.end())->first >= item.name) return Wrong("names");
  registry_.names.emplace_hint(registry_.names.end(), std::move(item.name),
                               NameBinding{item.torrent, item.binding, item.source, {}});
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(InfoHashItem item) {
  auto& hashes = registry_.info_hashes;
  if (!hashes.empty() && std::prev(hashes.end())->first >= item.hash) return Wrong("info-hashes");
  hashes.emplace_hint(hashes.end(), item.hash, std::move(item.bound));
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(Session session) {
  if (sessions_.sessions.Find(session.id) != nullptr) return Wrong("a session is there twice");
  sessions_.sessions.Add(std::move(session));
  return absl::OkStatus();
}

absl::StatusOr<ReplicatedState> StateBuilder::Finish() && {
  if (!has_head_) return Wrong("nothing is there");
  absl::StatusOr<Registry> registry = Registry::Restore(std::move(registry_));
  if (!registry.ok()) return registry.status();
  absl::StatusOr<Sessions> sessions = Sessions::Restore(std::move(sessions_));
  if (!sessions.ok()) return sessions.status();
  ReplicatedState state(*std::move(registry), *std::move(sessions), head_.commands);
  if (state.Digest() != head_.digest)
    return absl::DataLossError("the tracker's state does not have its digest");
  return state;
}

absl::StatusOr<ReplicatedState> ReadState(const std::vector<Slice>& parts) {
  StateBuilder builder;
  for (const Slice& part : parts) {
    if (absl::Status status = builder.Add(part); !status.ok()) return status;
  }
  return std::move(builder).Finish();
}

}  // namespace bt::tracker
