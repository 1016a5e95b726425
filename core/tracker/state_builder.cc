#include "core/tracker/state_builder.h"

#include <absl/strings/str_cat.h>

#include <iterator>
#include <limits>
#include <utility>
#include <variant>

#include "core/base/fields.h"
#include "core/base/version.h"

namespace bt::tracker {

namespace {

absl::Status Wrong(const char* what) {
  return absl::DataLossError(absl::StrCat("the tracker's state is not in order: ", what));
}

}  // namespace

absl::Status StateBuilder::Add(const Slice& bytes) {
  if (absl::Status status = has_head_ ? absl::OkStatus() : CheckFormat(bytes); !status.ok()) return status;
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

absl::Status StateBuilder::CheckFormat(const Slice& bytes) const {
  Decoder decoder(bytes);
  uint64_t item = 0;
  uint64_t format = 0;
  decoder("item", item);
  decoder("format", format);
  if (!decoder.ok() || item != StateItem(StateHead()).index()) return absl::OkStatus();  // no head: see Add
  const uint64_t newest = StateFormatOf(levels_.newest);
  if (format >= kOldestStateFormat && format <= newest) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("the tracker's state has format ", format, ", and this program (", kVersion, ") reads ",
                   kOldestStateFormat, " to ", newest, " (", LevelsText(levels_),
                   "): start the release that ran here before, or a newer one; nothing was changed"));
}

absl::Status StateBuilder::Take(StateHead head) {
  if (has_head_) return Wrong("it has two heads");
  has_head_ = true;
  registry_.limits_version = head.limits_version;
  registry_.limits = head.limits;
  registry_.log_time = head.log_time;
  registry_.bindings = head.bindings;
  sessions_.log_time = head.session_time;
  head_ = std::move(head);
  return absl::OkStatus();
}

absl::Status StateBuilder::Take(LevelItem item) {
  if (head_.format < StateFormatOf(item.level) || registry_.level != kFirstLevel ||
      !registry_.torrents.empty())
    return Wrong("a level in a wrong place");
  if (auto problem = LevelProblem(item.level, levels_)) {
    return absl::UnimplementedError(absl::StrCat("the tracker's state: ", *problem));
  }
  registry_.level = item.level;
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

absl::StatusOr<bool> StateBuilder::Finish(StepWork& work) {
  if (!has_head_) return Wrong("nothing is there");
  if (!restore_) {
    if (head_.format != StateFormatOf(registry_.level)) return Wrong("its format is not that of its level");
    restore_.emplace(std::move(registry_));
    indexed_.emplace(std::move(sessions_));
  }
  if (absl::Status status = restore_->Go(work); !status.ok()) return status;
  if (!restore_->done()) return false;
  while (work.left()) {
    work.Rows(RegistryRestore::kRow);
    const absl::StatusOr<bool> one_more = indexed_->IndexNext();
    if (!one_more.ok()) return one_more.status();
    if (!*one_more) return true;
  }
  return false;
}

absl::StatusOr<ReplicatedState> StateBuilder::Take() && {
  ReplicatedState state(std::move(*restore_).Take(), *std::move(indexed_), head_.commands);
  if (state.Digest() != head_.digest)
    return absl::DataLossError("the tracker's state does not have its digest");
  return state;
}

absl::StatusOr<ReplicatedState> StateBuilder::Finish() && {
  StepWork unlimited(std::numeric_limits<uint64_t>::max());
  const absl::StatusOr<bool> made = Finish(unlimited);
  if (!made.ok()) return made.status();
  return std::move(*this).Take();
}

absl::StatusOr<ReplicatedState> ReadState(const std::vector<Slice>& parts) {
  StateBuilder builder;
  for (const Slice& part : parts) {
    if (absl::Status status = builder.Add(part); !status.ok()) return status;
  }
  return std::move(builder).Finish();
}

}  // namespace bt::tracker
