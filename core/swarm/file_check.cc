#include "core/swarm/file_check.h"

#include <algorithm>
#include <span>
#include <utility>

#include "core/base/check.h"

namespace bt::swarm {
namespace {

// token = kCheckToken | serial << kPlaceBits | place; place 0: the leaves of the whole group, 1 + i: the
// SHA-1 of its i-th piece.
constexpr uint32_t kPlaceBits = 10;
constexpr uint32_t kGroupPieces = (1 << kPlaceBits) - 2;

}  // namespace

FileCheck::FileCheck(const Metainfo& metainfo, bool both)
    : metainfo_(&metainfo),
      both_(both && metainfo.v1_pieces.size() == metainfo.piece_count()),
      waiting_(metainfo.piece_count()),
      alone_(metainfo.piece_count()) {}

void FileCheck::Add(const PieceMap& pieces, Context<Protocol>& context) {
  waiting_.AddAll(pieces);
  for (auto& [serial, group] : groups_) {
    for (uint32_t i = 0; i < group.count; ++i) {
      if (pieces.Has(PieceIndex(group.first.value() + i))) group.outdated[i] = true;
    }
  }
  next_piece_ = 0;
  Begin(context);
}

void FileCheck::Begin(Context<Protocol>& context) {
  while (groups_.size() < kGroupsInFlight && !waiting_.none()) {
    while (!waiting_.Has(PieceIndex(next_piece_))) ++next_piece_;
    Group group;
    group.first = PieceIndex(next_piece_);
    uint64_t length = 0;
    while (next_piece_ < waiting_.size() && waiting_.Has(PieceIndex(next_piece_)) &&
           group.count < kGroupPieces) {
      const uint64_t size = metainfo_->piece_size(next_piece_);
      const bool alone = alone_.Has(PieceIndex(next_piece_));
      if (group.count > 0 && (alone || length + size > kRangeBytes)) break;
      alone_.Remove(PieceIndex(next_piece_));
      length += size;
      ++group.count;
      waiting_.Remove(PieceIndex(next_piece_++));
      // The end of a file, and behind it what nobody hashes.
      if (alone || size < metainfo_->piece_length) break;
    }
    group.why.resize(group.count);
    group.outdated.resize(group.count);
    const uint64_t serial = next_serial_++;
    const uint64_t token = kCheckToken | serial << kPlaceBits;
    context.out.File(
        HashRange{BlockToken(token), kContentFile, Offset(group.first.value()), length, RangeHash::kLeaves});
    group.pending = 1;
    for (uint32_t i = 0; both_ && i < group.count; ++i) {
      const uint32_t piece = group.first.value() + i;
      context.out.File(HashRange{BlockToken(token + 1 + i), kContentFile, Offset(piece),
                                 metainfo_->padded_piece_size(piece), RangeHash::kSha1});
      ++group.pending;
    }
    groups_.emplace(serial, std::move(group));
  }
}

void FileCheck::JudgeLeaves(Group& group, const RangeHashed& hashed) const {
  size_t at = 0;
  for (uint32_t i = 0; i < group.count; ++i) {
    const uint32_t piece = group.first.value() + i;
    const uint32_t blocks = metainfo_->block_count(piece);
    if (!hashed.status.ok()) {
      group.why[i] = std::string(hashed.status.message());
    } else if (hashed.leaves.size() < at + blocks ||
               !metainfo_->VerifyPiece(piece, std::span(hashed.leaves).subspan(at, blocks))) {
      group.why[i] = "its bytes are not the torrent's (SHA-256)";
    }
    at += blocks;
  }
}

void FileCheck::JudgeSha1(Group& group, uint32_t place, const RangeHashed& hashed) const {
  if (!group.why[place].empty()) return;
  if (!hashed.status.ok()) {
    group.why[place] = std::string(hashed.status.message());
  } else if (hashed.sha1 != metainfo_->v1_pieces[group.first.value() + place]) {
    group.why[place] = "its bytes are not the torrent's (SHA-1)";
  }
}

std::vector<FileCheck::Verdict> FileCheck::Hashed(const RangeHashed& hashed, Context<Protocol>& context) {
  std::vector<Verdict> verdicts;
  const uint64_t token = hashed.token.value() & ~kCheckToken;
  const auto found = groups_.find(token >> kPlaceBits);
  if (found == groups_.end()) return verdicts;
  Group& group = found->second;
  const uint32_t place = static_cast<uint32_t>(token & ((1 << kPlaceBits) - 1));
  if (place == 0 && !hashed.status.ok() && group.count > 1) {
    for (uint32_t i = 0; i < group.count; ++i) {
      waiting_.Add(PieceIndex(group.first.value() + i));
      alone_.Add(PieceIndex(group.first.value() + i));
    }
    next_piece_ = 0;
    groups_.erase(found);
    Begin(context);
    return verdicts;
  }
  if (place == 0) {
    JudgeLeaves(group, hashed);
  } else {
    CHECK(place <= group.count);
    JudgeSha1(group, place - 1, hashed);
  }
  if (--group.pending > 0) return verdicts;
  for (uint32_t i = 0; i < group.count; ++i) {
    if (group.outdated[i]) continue;
    verdicts.push_back({PieceIndex(group.first.value() + i), group.why[i].empty(), std::move(group.why[i])});
  }
  groups_.erase(found);
  Begin(context);
  return verdicts;
}

}  // namespace bt::swarm
