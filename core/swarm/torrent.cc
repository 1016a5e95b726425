#include "core/swarm/torrent.h"

#include <algorithm>
#include <utility>

#include "core/base/fields.h"
#include "core/swarm/resume_state.h"

namespace bt::swarm {

Torrent::Torrent(Metainfo metainfo, Selection selection, const Config& config)
    : metainfo_(std::move(metainfo)),
      selection_(std::move(selection)),
      info_hashes_(metainfo_, config.format, config.key),
      checkpoint_interval_(config.timing.checkpoint_interval),
      verified_(metainfo_.piece_count()),
      unproven_(metainfo_.piece_count()) {}

bool Torrent::Add(PieceIndex piece) {
  if (!verified_.Add(piece)) return false;
  const uint32_t size = metainfo_.piece_size(piece.value());
  bytes_verified_ += size;
  if (!selection_.Has(piece)) return true;
  ++selected_pieces_verified_;
  selected_bytes_verified_ += size;
  return true;
}

void Torrent::TakeAllForVerified() {
  for (uint32_t i = 0; i < verified_.size(); ++i) Add(PieceIndex(i));
}

void Torrent::Open(FileMode mode, Context<Protocol>& context) {
  open_ = true;
  OpenFile open{kContentFile, mode, metainfo_.name, metainfo_.end_offset(), {}, selection_.given()};
  const FileTree& tree = metainfo_.tree;
  for (size_t i = 0; i < tree.files().size(); ++i) {
    const FileTree::File& file = tree.files()[i];
    open.parts.push_back({file.Path(), tree.first_piece(i) * metainfo_.piece_length, file.length,
                          file.executable, selection_.HasFile(i)});
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
  const auto verified = PieceMap::FromBitfield(state->verified, verified_.size());
  if (!verified) return false;
  for (uint32_t i = 0; i < verified->size(); ++i) {
    const PieceIndex piece(i);
    // Of a file that is not there any more, or was put in place, the checkpoint knows nothing.
    if (!verified->Has(piece) || FoundOf(piece) != PartFound::kStarted || !Add(piece)) continue;
    unproven_.Add(piece);
    if (selection_.Has(piece)) ++selected_unproven_;
  }
  return true;
}

PieceMap Torrent::Opened(const FileOpened& opened) {
  if (opened.parts.size() == metainfo_.tree.files().size()) found_ = opened.parts;
  const bool resumed = Resume(opened.resume);
  PieceMap unknown(verified_.size());
  for (uint32_t i = 0; i < unknown.size(); ++i) {
    const PartFound found = FoundOf(PieceIndex(i));
    const bool worth =
        found == PartFound::kInPlace || (found == PartFound::kStarted && opened.existing && !resumed);
    if (worth && selection_.Has(PieceIndex(i))) unknown.Add(PieceIndex(i));
  }
  return unknown;
}

PartFound Torrent::FoundOf(PieceIndex piece) const {
  return found_.empty() ? PartFound::kStarted : found_[metainfo_.tree.FileOf(piece.value())];
}

bool Torrent::InPlace(PieceIndex piece) const { return FoundOf(piece) == PartFound::kInPlace; }

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
    if (verdict.good) Prove(verdict.piece);
  }
  return verdicts;
}

// The checkpoint's word about it is not needed any more.
void Torrent::Prove(PieceIndex piece) {
  if (unproven_.Remove(piece) && selection_.Has(piece)) --selected_unproven_;
}

bool Torrent::Lose(PieceIndex piece) {
  Prove(piece);
  if (!verified_.Remove(piece)) return false;
  const uint32_t size = metainfo_.piece_size(piece.value());
  bytes_verified_ -= size;
  if (!selection_.Has(piece)) return true;
  --selected_pieces_verified_;
  selected_bytes_verified_ -= size;
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
  leaving_ = std::exchange(taken_back_, {});
  const ResumeState state{metainfo_.content(), metainfo_.piece_length, verified_.ToBitfield()};
  context.out.File(Checkpoint{kContentFile, Slice::Own(Encode(state))});
}

bool Torrent::TakeBack(PieceIndex piece, Context<Protocol>& context) {
  if (!Lose(piece)) return false;
  taken_back_.push_back(piece);
  unsaved_ = true;
  SaveProgress(context);
  return true;
}

uint32_t Torrent::held_back() const {
  const auto selected = [&](PieceIndex piece) { return selection_.Has(piece); };
  return static_cast<uint32_t>(std::count_if(leaving_.begin(), leaving_.end(), selected) +
                               std::count_if(taken_back_.begin(), taken_back_.end(), selected));
}

std::vector<PieceIndex> Torrent::Checkpointed(Context<Protocol>& context) {
  saving_ = false;
  last_saved_ = context.now;
  std::vector<PieceIndex> gone = std::exchange(leaving_, {});
  if (!taken_back_.empty()) SaveProgress(context);
  return gone;
}

}  // namespace bt::swarm
