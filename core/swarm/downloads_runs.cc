// Downloads' part for web seeds: whole pieces that nobody is asked for, taken and stored as runs.

#include <algorithm>

#include "core/swarm/downloads.h"

namespace bt::swarm {
namespace {

// Takers of runs stand among the picker's peers behind all slots of the peer table.
Picker::PeerSlot TakerOf(uint32_t number) { return Picker::kFirstTaker + number; }

}  // namespace

std::optional<Downloads::Run> Downloads::TakeRun(uint32_t number, uint64_t bytes_max, Instant now) {
  if (!picker_ || requested_bytes_ + storing_bytes_ >= limits_.bytes_in_flight) return std::nullopt;
  std::optional<PieceIndex> first = picker_->RarestUntouched();
  if (!first) {
    // What peers have begun, and have left or do not finish.
    picker_->StartIdleOver();
    first = picker_->RarestUntouched();
  }
  if (!first) return std::nullopt;
  const Metainfo& metainfo = torrent_.metainfo();
  const FileTree& tree = metainfo.tree;
  const size_t file = tree.empty() ? 0 : tree.FileOf(first->value());
  const uint32_t file_begin = tree.empty() ? 0 : tree.first_piece(file);
  const uint32_t pieces = static_cast<uint32_t>(std::max<uint64_t>(1, bytes_max / metainfo.piece_length));
  // Runs begin at multiples of their length, as far as they can: else what is left between them is ever
  // shorter.
  uint32_t begin = first->value();
  while ((begin - file_begin) % pieces != 0 && picker_->untouched(PieceIndex(begin - 1))) --begin;
  Run run{PieceIndex(begin), 0, 0, TakerOf(number)};
  for (uint32_t piece = begin; piece < metainfo.piece_count() && run.count < pieces; ++piece) {
    const bool next = picker_->untouched(PieceIndex(piece)) && (tree.empty() || tree.FileOf(piece) == file);
    if (!next || picker_->in_progress() >= kPiecesInProgressLimit) break;
    picker_->TakeWhole(PieceIndex(piece), run.taker, now);
    ++run.count;
    run.bytes += metainfo.piece_size(piece);
  }
  return run;
}

void Downloads::StoreRun(const Run& run, uint64_t begin, const Slice& bytes, const Sender& sender,
                         Ctx& context) {
  if (!picker_) return;
  const uint32_t piece_length = torrent_.metainfo().piece_length;
  for (uint64_t at = 0; at < bytes.size();) {
    const uint64_t offset = begin + at;
    const PieceIndex piece(run.first.value() + static_cast<uint32_t>(offset / piece_length));
    const BlockRef block{piece, static_cast<uint32_t>(offset % piece_length / kBlockSize)};
    const uint32_t length = BlockLength(block);
    const bool others_asked = picker_->requesters(block) > 1;
    if (picker_->Arrived(block, run.taker, sender) == Picker::Arrival::kDuplicate) {
      totals_.bytes_wasted += length;
    } else {
      if (others_asked) CancelElsewhere(block, nullptr);
      Store(block, bytes.Sub(at, length), context);
    }
    at += length;
  }
}

void Downloads::GiveUpRuns(uint32_t number) {
  if (!picker_) return;
  picker_->GiveUpAll(TakerOf(number));
  refill_all_ = true;
}

}  // namespace bt::swarm
