#include "core/torrent/metainfo.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>

#include "core/base/check.h"
#include "core/torrent/bencode.h"
#include "core/torrent/invalid.h"
#include "core/torrent/merkle.h"
#include "core/torrent/sha1.h"

namespace bt {
namespace {

// Bytes of the UTF-8 sequence at the start of `text` (RFC 3629: shortest form, no surrogates); 0: invalid.
size_t Utf8Sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) > 0x9f) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;
  return size;
}

}  // namespace

absl::Status ValidateName(std::string_view name, size_t bytes_max) {
  if (name.empty()) return Invalid("the name is empty");
  if (name.size() > bytes_max) {
    return Invalid("the name has ", name.size(), " bytes; at most ", bytes_max, " are allowed");
  }
  if (name == "." || name == "..") return Invalid("the name is a directory reference (. or ..)");
  for (size_t i = 0; i < name.size();) {
    const uint8_t c = static_cast<uint8_t>(name[i]);
    if (c == 0) return Invalid("the name has a NUL at byte ", i);
    if (c < 0x20 || c == 0x7f) return Invalid("the name has a control character at byte ", i);
    if (c == '/' || c == '\\') return Invalid("the name has a path separator at byte ", i);
    const size_t size = Utf8Sequence(name.substr(i));
    if (size == 0) return Invalid("the name is not UTF-8 at byte ", i);
    // U+0080..U+009F: the C1 control characters, which terminals obey.
    if (c == 0xc2 && static_cast<uint8_t>(name[i + 1]) < 0xa0) {
      return Invalid("the name has a control character at byte ", i);
    }
    i += size;
  }
  return absl::OkStatus();
}

uint32_t DefaultPieceLength(uint64_t length) {
  constexpr uint64_t kPieces = 2048;
  constexpr uint64_t kUsualMax = 16 << 20;
  uint64_t piece_length = kPieceLengthMin;
  while (piece_length < kUsualMax && length > piece_length * kPieces) piece_length *= 2;
  // Beyond 2 TiB the limit on pieces asks for larger ones still.
  while (piece_length < kPieceLengthMax && length > piece_length * kPieceCountLimit) piece_length *= 2;
  return static_cast<uint32_t>(piece_length);
}

uint32_t Metainfo::piece_size(uint32_t index) const {
  CHECK(index < piece_count());
  const uint64_t first = tree.empty() ? 0 : tree.first_piece(tree.FileOf(index));
  return static_cast<uint32_t>(
      std::min<uint64_t>(piece_length, file_length(index) - (index - first) * piece_length));
}

uint64_t Metainfo::file_length(uint32_t index) const {
  return tree.empty() ? length : tree.files()[tree.FileOf(index)].length;
}

uint32_t Metainfo::padded_piece_size(uint32_t index) const {
  const bool padded = !tree.empty() && (index + 1 < piece_count() || tree.padded_end());
  return padded ? piece_length : piece_size(index);
}

uint64_t Metainfo::end_offset() const {
  const uint32_t last = piece_count() - 1;
  return uint64_t{last} * piece_length + piece_size(last);
}

uint32_t Metainfo::block_count(uint32_t index) const {
  return (piece_size(index) + kBlockSize - 1) / kBlockSize;
}

absl::Status Metainfo::ValidateForm(const MetainfoLimits& limits) const {
  if (absl::Status status = ValidateName(name, limits.name_bytes); !status.ok()) return status;
  if (length == 0) return Invalid("the content is empty (length 0)");
  if (!std::has_single_bit(piece_length) || piece_length < kPieceLengthMin ||
      piece_length > limits.piece_length) {
    return Invalid("piece length ", piece_length, " is not a power of two between ", kPieceLengthMin, " and ",
                   limits.piece_length);
  }
  if (absl::Status status = ValidateTreeForm(); !status.ok()) return status;
  const uint64_t pieces = tree.empty() ? (length - 1) / piece_length + 1 : tree.piece_count();
  if (pieces > limits.pieces) {
    return Invalid("the content has ", pieces, " pieces; at most ", limits.pieces,
                   " are allowed (use a larger piece length)");
  }
  const uint64_t entries = !tree.empty() || length > piece_length ? pieces : 0;
  if (piece_layer.size() != entries) {
    return Invalid("the piece layer has ", piece_layer.size(), " entries instead of ", entries);
  }
  if (!v1_pieces.empty() && v1_pieces.size() != pieces) {
    return Invalid("there are ", v1_pieces.size(), " v1 piece hashes instead of ", pieces);
  }
  if (foreign_info_hashes.size() > limits.foreign_info_hashes) {
    return Invalid("there are more than ", limits.foreign_info_hashes, " foreign info-hashes");
  }
  return absl::OkStatus();
}

absl::Status Metainfo::ValidateTreeForm() const {
  if (tree.empty()) return absl::OkStatus();
  if (absl::Status status = tree.Validate(); !status.ok()) return status;
  if (tree.piece_length() != piece_length) {
    return Invalid("the tree is laid out in pieces of ", tree.piece_length(), " bytes, not ", piece_length);
  }
  if (tree.length() != length)
    return Invalid("the files of the tree have ", tree.length(), " bytes, not ", length);
  const FileTree::File& first = tree.files().front();
  if (tree.files().size() == 1 && first.path.size() == 1 && first.path.front() == name) {
    return Invalid("the tree's only file has the tree's own name (", name,
                   "): that is how a single file looks");
  }
  return absl::OkStatus();
}

absl::Status Metainfo::Validate(const MetainfoLimits& limits) const {
  if (absl::Status status = ValidateForm(limits); !status.ok()) return status;
  const uint32_t height = merkle::HeightFor(piece_length / kBlockSize);
  if (tree.empty()) {
    if (!piece_layer.empty() && merkle::Root(piece_layer, height) != pieces_root) {
      return Invalid("the piece layer does not hash to the pieces root");
    }
    return absl::OkStatus();
  }
  for (size_t i = 0; i < tree.files().size(); ++i) {
    const FileTree::File& file = tree.files()[i];
    if (file.length == 0) continue;
    const auto layer = LayerOf(i);
    if ((layer.size() == 1 ? layer[0] : merkle::Root(layer, height)) != file.pieces_root) {
      return Invalid("the piece layer of ", file.Path(), " does not hash to its pieces root");
    }
  }
  if (tree.Root() != pieces_root)
    return Invalid("the file tree does not hash to the root that names the content");
  return absl::OkStatus();
}

std::span<const Sha256Digest> Metainfo::LayerOf(size_t file) const {
  const uint64_t length_of = tree.files()[file].length;
  return std::span(piece_layer)
      .subspan(tree.first_piece(file), length_of == 0 ? 0 : (length_of - 1) / piece_length + 1);
}

bool Metainfo::VerifyPiece(uint32_t index, std::span<const Sha256Digest> leaves) const {
  if (leaves.size() != block_count(index)) return false;
  const Sha256Digest& node = piece_layer.empty() ? pieces_root : piece_layer[index];
  // The tree of a file of one piece ends with its own last leaf.
  if (file_length(index) <= piece_length) return merkle::Root(leaves, 0) == node;
  return merkle::PaddedRoot(leaves, 0, merkle::HeightFor(piece_length / kBlockSize)) == node;
}

std::string Metainfo::InfoBytes(TorrentFormat format) const {
  CHECK(Has(format));
  std::string info;
  bencode::Writer writer(info);
  writer.BeginDictionary();
  if (format != TorrentFormat::kV1) {
    writer.Key("file tree");
    if (tree.empty()) {
      writer.BeginDictionary().Key(name).BeginDictionary().Key("").BeginDictionary();
      writer.Key("length").Integer(static_cast<int64_t>(length));
      writer.Key("pieces root").Text(BytesOf(pieces_root)).End().End().End();
    } else {
      tree.WriteTree(writer);
    }
  }
  if (format != TorrentFormat::kV2) {
    if (tree.empty()) {
      writer.Key("length").Integer(static_cast<int64_t>(length));
    } else {
      writer.Key("files");
      tree.WriteFiles(writer);
    }
  }
  if (format != TorrentFormat::kV1) writer.Key("meta version").Integer(2);
  writer.Key("name").Text(name);
  writer.Key("piece length").Integer(piece_length);
  if (format != TorrentFormat::kV2) writer.Key("pieces").Text(Joined(v1_pieces));
  writer.End();
  return info;
}

Sha1Digest Metainfo::InfoHashV1(TorrentFormat format) const { return Sha1(InfoBytes(format)); }

Sha256Digest Metainfo::InfoHashV2(TorrentFormat format) const { return Sha256(InfoBytes(format)); }

std::vector<InfoHash> Metainfo::AllInfoHashes() const {
  std::vector<InfoHash> hashes;
  if (Has(TorrentFormat::kV1)) {
    const std::string hybrid = InfoBytes(TorrentFormat::kHybrid);
    hashes = {InfoHashV1(TorrentFormat::kV1), Sha1(hybrid), CutToInfoHash(Sha256(hybrid))};
  }
  hashes.push_back(CutToInfoHash(InfoHashV2(TorrentFormat::kV2)));
  for (const InfoHash& foreign : foreign_info_hashes) {
    if (std::find(hashes.begin(), hashes.end(), foreign) == hashes.end()) hashes.push_back(foreign);
  }
  return hashes;
}

}  // namespace bt
