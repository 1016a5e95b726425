#include "core/swarm/info_hashes.h"

#include <algorithm>

namespace bt::swarm {
namespace {

using Kind = InfoHashes::Kind;

TorrentFormat FormatOf(Kind kind) {
  if (kind == Kind::kV1) return TorrentFormat::kV1;
  return kind == Kind::kV2 ? TorrentFormat::kV2 : TorrentFormat::kHybrid;
}

// ParseTorrent keeps a file's v1 hash before its v2 hash.
Kind KindOfForeign(size_t index, std::optional<TorrentFormat> format) {
  if (!format) return Kind::kForeign;
  if (*format == TorrentFormat::kV1) return Kind::kV1;
  if (*format == TorrentFormat::kV2) return Kind::kV2;
  return index == 0 ? Kind::kHybridV1 : Kind::kHybridV2;
}

}  // namespace

InfoHashes::InfoHashes(const Metainfo& metainfo, std::optional<TorrentFormat> format,
                       const std::optional<tracker_api::TorrentKey>& key) {
  for (size_t i = 0; i < metainfo.foreign_info_hashes.size(); ++i) {
    known_.push_back({metainfo.foreign_info_hashes[i], KindOfForeign(i, format)});
  }
  const size_t derived = known_.size();
  if (metainfo.Has(TorrentFormat::kHybrid)) {
    known_.push_back({metainfo.InfoHashV1(TorrentFormat::kHybrid), Kind::kHybridV1});
    known_.push_back({metainfo.InfoHashV1(TorrentFormat::kV1), Kind::kV1});
  }
  known_.push_back({CutToInfoHash(metainfo.InfoHashV2(TorrentFormat::kV2)), Kind::kV2});
  if (metainfo.Has(TorrentFormat::kHybrid)) {
    known_.push_back({CutToInfoHash(metainfo.InfoHashV2(TorrentFormat::kHybrid)), Kind::kHybridV2});
  }
  std::stable_partition(known_.begin() + static_cast<ptrdiff_t>(derived), known_.end(),
                        [&](const Known& known) { return format && FormatOf(known.kind) == *format; });
  // A hybrid is dialled under its v1 hash alone: all who have the file know that one.
  const auto undialled = std::stable_partition(
      known_.begin(), known_.end(), [](const Known& known) { return known.kind != Kind::kHybridV2; });
  dialled_ = static_cast<uint32_t>(undialled - known_.begin());
  const auto* asked = key ? std::get_if<InfoHash>(&*key) : nullptr;
  if (asked == nullptr) return;
  std::stable_partition(known_.begin(), undialled, [&](const Known& known) { return known.hash == *asked; });
}

void InfoHashes::Told(const std::vector<InfoHash>& hashes) {
  for (const InfoHash& hash : hashes) {
    if (told_ == kTold) return;
    if (Find(hash) != nullptr) continue;
    known_.insert(known_.begin() + dialled_, {hash, Kind::kForeign});
    ++dialled_;
    ++told_;
  }
}

const InfoHashes::Known* InfoHashes::Find(const InfoHash& hash) const {
  const auto found =
      std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.hash == hash; });
  return found == known_.end() ? nullptr : &*found;
}

}  // namespace bt::swarm
