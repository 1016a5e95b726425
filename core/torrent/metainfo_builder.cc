#include <algorithm>
#include <bit>

#include "core/base/check.h"
#include "core/torrent/merkle.h"
#include "core/torrent/metainfo.h"

namespace bt {

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

PieceHashes PieceHasher::Finish(uint32_t index) {
  if (!partial_.empty()) FlushBlock();
  CHECK(leaves_.size() == form_.block_count(index));
  const std::string padding(form_.padded_piece_size(index) - form_.piece_size(index), '\0');
  sha1_.Update(padding);
  // BEP 52: the tree of a file of one piece ends with its own last leaf; a piece of a longer file is a
  // whole subtree.
  const bool only_piece = form_.file_length(index) <= form_.piece_length;
  const uint32_t height = merkle::HeightFor(form_.piece_length / kBlockSize);
  PieceHashes hashes{only_piece ? merkle::Root(leaves_, 0) : merkle::PaddedRoot(leaves_, 0, height),
                     sha1_.Finish()};
  leaves_.clear();
  return hashes;
}

Metainfo AssembleMetainfo(Metainfo form, std::span<const PieceHashes> pieces) {
  CHECK(!pieces.empty() && pieces.size() == form.piece_count());
  for (const PieceHashes& piece : pieces) form.v1_pieces.push_back(piece.sha1);
  if (form.tree.empty() && pieces.size() == 1) {
    form.pieces_root = pieces[0].node;
    return form;
  }
  for (const PieceHashes& piece : pieces) form.piece_layer.push_back(piece.node);
  const uint32_t height = merkle::HeightFor(form.piece_length / kBlockSize);
  if (form.tree.empty()) {
    form.pieces_root = merkle::Root(form.piece_layer, height);
    return form;
  }
  std::vector<FileTree::File> files = form.tree.files();
  for (size_t i = 0; i < files.size(); ++i) {
    const auto layer = form.LayerOf(i);
    files[i].pieces_root = layer.empty()       ? Sha256Digest{}
                           : layer.size() == 1 ? layer[0]
                                               : merkle::Root(layer, height);
  }
  form.tree = FileTree(std::move(files), form.piece_length, form.tree.padded_end());
  form.pieces_root = form.tree.Root();
  return form;
}

struct MetainfoBuilder::State {
  explicit State(Metainfo described) : form(std::move(described)), hasher(form) {}

  const Metainfo form;
  PieceHasher hasher;
  uint64_t fed = 0;
  uint32_t fed_of_piece = 0;
  std::vector<PieceHashes> pieces{};
};

MetainfoBuilder::MetainfoBuilder(std::string name, uint64_t length, uint32_t piece_length) {
  CHECK(length > 0 && piece_length >= kPieceLengthMin && std::has_single_bit(piece_length));
  state_ = std::make_unique<State>(
      Metainfo{.name = std::move(name), .length = length, .piece_length = piece_length});
}

MetainfoBuilder::MetainfoBuilder(std::string name, FileTree tree, uint32_t piece_length)
    : MetainfoBuilder(name, tree.length(), piece_length) {
  Metainfo form = state_->form;
  form.tree = std::move(tree);
  state_ = std::make_unique<State>(std::move(form));
}

MetainfoBuilder::~MetainfoBuilder() = default;
MetainfoBuilder::MetainfoBuilder(MetainfoBuilder&&) noexcept = default;

void MetainfoBuilder::Update(std::string_view bytes) {
  State& state = *state_;
  CHECK(bytes.size() <= state.form.length - state.fed);
  while (!bytes.empty()) {
    const uint32_t piece = static_cast<uint32_t>(state.pieces.size());
    const size_t take = std::min<uint64_t>(bytes.size(), state.form.piece_size(piece) - state.fed_of_piece);
    state.hasher.Update(bytes.substr(0, take));
    state.fed += take;
    state.fed_of_piece += static_cast<uint32_t>(take);
    bytes.remove_prefix(take);
    if (state.fed_of_piece < state.form.piece_size(piece)) continue;
    state.pieces.push_back(state.hasher.Finish(piece));
    state.fed_of_piece = 0;
  }
}

Metainfo MetainfoBuilder::Finish() {
  CHECK(state_->fed == state_->form.length);
  return AssembleMetainfo(state_->form, state_->pieces);
}

}  // namespace bt
