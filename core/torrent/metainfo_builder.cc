#include <algorithm>
#include <bit>

#include "core/base/check.h"
#include "core/torrent/merkle.h"
#include "core/torrent/metainfo.h"

namespace bt {

PieceHasher::PieceHasher(uint64_t content_length, uint32_t piece_length)
    : height_(merkle::HeightFor(piece_length / kBlockSize)), only_piece_(content_length <= piece_length) {}

void PieceHasher::Update(std::string_view bytes) {
  sha1_.Update(bytes);
  while (!bytes.empty()) {
    if (partial_.empty() && bytes.size() >= kBlockSize) {
      leaves_.push_back(Sha256(bytes.substr(0, kBlockSize)));
      bytes.remove_prefix(kBlockSize);
      continue;
    }
    const size_t take = std::min(bytes.size(), kBlockSize - partial_.size());
    partial_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (partial_.size() == kBlockSize) FlushBlock();
  }
}

void PieceHasher::FlushBlock() {
  leaves_.push_back(Sha256(partial_));
  partial_.clear();
}

PieceHashes PieceHasher::Finish() {
  if (!partial_.empty()) FlushBlock();
  CHECK(!leaves_.empty());
  // BEP 52: the tree of a file of one piece ends with its own last leaf; a piece of a longer file is a
  // whole subtree.
  PieceHashes hashes{only_piece_ ? merkle::Root(leaves_, 0) : merkle::PaddedRoot(leaves_, 0, height_),
                     sha1_.Finish()};
  leaves_.clear();
  return hashes;
}

Metainfo AssembleMetainfo(std::string name, uint64_t length, uint32_t piece_length,
                          std::span<const PieceHashes> pieces) {
  Metainfo metainfo{.name = std::move(name), .length = length, .piece_length = piece_length};
  CHECK(!pieces.empty() && pieces.size() == metainfo.piece_count());
  for (const PieceHashes& piece : pieces) metainfo.v1_pieces.push_back(piece.sha1);
  if (pieces.size() == 1) {
    metainfo.pieces_root = pieces[0].node;
    return metainfo;
  }
  for (const PieceHashes& piece : pieces) metainfo.piece_layer.push_back(piece.node);
  metainfo.pieces_root = merkle::Root(metainfo.piece_layer, merkle::HeightFor(piece_length / kBlockSize));
  return metainfo;
}

struct MetainfoBuilder::State {
  std::string name;
  uint64_t length = 0;
  uint32_t piece_length = 0;
  PieceHasher hasher;
  uint64_t fed = 0;
  std::vector<PieceHashes> pieces{};
};

MetainfoBuilder::MetainfoBuilder(std::string name, uint64_t length, uint32_t piece_length) {
  CHECK(length > 0 && piece_length >= kPieceLengthMin && std::has_single_bit(piece_length));
  state_.reset(new State{std::move(name), length, piece_length, PieceHasher(length, piece_length)});
}

MetainfoBuilder::~MetainfoBuilder() = default;

void MetainfoBuilder::Update(std::string_view bytes) {
  CHECK(bytes.size() <= state_->length - state_->fed);
  while (!bytes.empty()) {
    const uint64_t left_in_piece = state_->piece_length - state_->fed % state_->piece_length;
    const size_t take = std::min<uint64_t>(bytes.size(), left_in_piece);
    state_->hasher.Update(bytes.substr(0, take));
    state_->fed += take;
    bytes.remove_prefix(take);
    if (take == left_in_piece || state_->fed == state_->length) {
      state_->pieces.push_back(state_->hasher.Finish());
    }
  }
}

Metainfo MetainfoBuilder::Finish() {
  CHECK(state_->fed == state_->length);
  return AssembleMetainfo(state_->name, state_->length, state_->piece_length, state_->pieces);
}

}  // namespace bt
