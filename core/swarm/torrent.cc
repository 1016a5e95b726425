#include "core/swarm/torrent.h"

#include <algorithm>
#include <utility>

#include "core/base/fields.h"
#include "core/swarm/resume_state.h"

namespace bt::swarm {

Torrent::Torrent(Metainfo metainfo, const Config& config)
    : metainfo_(std::move(metainfo)),
      info_hashes_(metainfo_, config.format, config.key),
      checkpoint_interval_(config.timing.checkpoint_interval),
      verified_(metainfo_.piece_count()),
      unproven_(metainfo_.piece_count()) {}

bool Torrent::Add(PieceIndex piece) {
  if (!verified_.Add(piece)) return false;
  bytes_verified_ += metainfo_.piece_size(piece.value());
  return true;
}

void Torrent::TakeAllForVerified() {
  verified_ = PieceMap::All(verified_.size());
  bytes_verified_ = metainfo_.length;
}

void Torrent::Open(FileMode mode, Context<Protocol>& context) {
  open_ = true;
  OpenFile open{kContentFile, mode, metainfo_.name, metainfo_.end_offset(), {}};
  const FileTree& tree = metainfo_.tree;
  for (size_t i = 0; i < tree.files().size(); ++i) {
    const FileTree::File& file = tree.files()[i];
    open.parts.push_back(
        {file.Path(), tree.first_piece(i) * metainfo_.piece_length, file.length, file.executable});
  }
  context.out.File(std::move(open));
}

void Torrent::Close(Context<Protocol>& context) {
  if (open_) context.out.File(CloseFile{kContentFile});
  open_ = false;
}

void Torrent::Finish(Context<Protocol>& context) {
  context.out.Disarm(Protocol::Timer::kCheckpoint);
  context.out.File(FinishFile{kContentFile});
}

bool Torrent::Resume(const Slice& checkpoint) {
  const absl::StatusOr<ResumeState> state = Decode<ResumeState>(checkpoint);
  if (checkpoint.empty() || !state.ok() || state->content != metainfo_.content() ||
      state->piece_length != metainfo_.piece_length) {
    return false;
  }
  auto verified = PieceMap::FromBitfield(state->verified, verified_.size());
  if (!verified) return false;
  verified_ = unproven_ = *std::move(verified);
  bytes_verified_ = 0;
  for (uint32_t i = 0; i < verified_.size(); ++i) {
    if (verified_.Has(PieceIndex(i))) bytes_verified_ += metainfo_.piece_size(i);
  }
  return true;
}

void Torrent::Check(const PieceMap& pieces, bool both, Context<Protocol>& context) {
  if (!check_) check_.emplace(metainfo_, both);
  check_->Add(pieces, context);
}

void Torrent::CheckUnproven(Context<Protocol>& context) {
  if (!unproven_.none()) Check(unproven_, false, context);
}

std::vector<FileCheck::Verdict> Torrent::Hashed(const RangeHashed& hashed, Context<Protocol>& context) {
  if (!check_) return {};
  std::vector<FileCheck::Verdict> verdicts = check_->Hashed(hashed, context);
  for (const FileCheck::Verdict& verdict : verdicts) {
    if (verdict.good) unproven_.Remove(verdict.piece);
  }
  return verdicts;
}

bool Torrent::Lose(PieceIndex piece) {
  unproven_.Remove(piece);
  if (!verified_.Remove(piece)) return false;
  bytes_verified_ -= metainfo_.piece_size(piece.value());
  return true;
}

void Torrent::ProgressMade(Context<Protocol>& context) {
  unsaved_ = true;
  if (saving_ || context.out.timers.armed(Protocol::Timer::kCheckpoint)) return;
  context.out.Arm(Protocol::Timer::kCheckpoint, std::max(context.now, last_saved_ + checkpoint_interval_));
}

void Torrent::SaveProgress(Context<Protocol>& context) {
  if (!unsaved_ || saving_ || !open_) return;
  unsaved_ = false;
  saving_ = true;
  const ResumeState state{metainfo_.content(), metainfo_.piece_length, verified_.ToBitfield()};
  context.out.File(Checkpoint{kContentFile, Slice::Own(Encode(state))});
}

void Torrent::Checkpointed(Instant now) {
  saving_ = false;
  last_saved_ = now;
}

}  // namespace bt::swarm
