#pragma once

// Metainfo: what a torrent says about its content, one data file or a tree of them, in one form for v1, v2
// and hybrid (BEP 3, BEP 52). The .torrent files of all three formats, and their info-hashes, are derived
// from it.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/content_id.h"
#include "core/torrent/file_tree.h"
#include "core/torrent/sha1.h"

namespace bt {

inline constexpr uint64_t kTorrentFileLimit = 8 << 20;  // bytes of a .torrent file or registration
inline constexpr uint32_t kPieceCountLimit = 131072;
inline constexpr uint32_t kPieceLengthMin = 16 * 1024;
inline constexpr uint32_t kPieceLengthMax = 64 << 20;
inline constexpr size_t kNameLimit = 255;
inline constexpr size_t kTrackerCountLimit = 256;
inline constexpr size_t kTrackerUrlLimit = 2048;

// How large a metainfo may be. Whoever shares the decision with others agrees on these numbers first: the
// tracker's replicas have theirs in the replicated state (core/tracker/limits.h).
struct MetainfoLimits {
  uint32_t pieces = kPieceCountLimit;
  uint32_t piece_length = kPieceLengthMax;  // bytes
  uint32_t name_bytes = kNameLimit;
  uint32_t foreign_info_hashes = 2;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("pieces", self.pieces);
    visit("piece_length", self.piece_length);
    visit("name_bytes", self.name_bytes);
    visit("foreign_info_hashes", self.foreign_info_hashes);
  }
  friend bool operator==(const MetainfoLimits&, const MetainfoLimits&) = default;
};

enum class TorrentFormat : uint8_t { kHybrid, kV1, kV2, kLast = kV2 };

struct Metainfo {
  std::string name;            // of the file, or of the tree's directory
  uint64_t length = 0;         // bytes of the file, or of all files of the tree; at least 1
  uint32_t piece_length = 0;   // a power of two >= 16 KiB
  Sha256Digest pieces_root{};  // or FileTree::Root
  // BEP 52 piece layer: one entry per piece when length > piece_length, else empty (the root is the piece).
  // Of a tree always one per piece, file by file; of a file not longer than a piece that is its root.
  std::vector<Sha256Digest> piece_layer;
  // BEP 3 piece hashes, one per piece; empty when the torrent did not carry them (a foreign v2-only one).
  std::vector<Sha1Digest> v1_pieces;
  // Info-hashes of the file this was parsed from when its info dictionary has keys of its own (private,
  // source, ...), so that they cannot be derived. At most 2.
  std::vector<InfoHash> foreign_info_hashes;
  // Empty: the content is one file. Not among the Fields, so that what was written before there were trees is
  // read as ever: who keeps or sends one puts it beside.
  FileTree tree;

  ContentId content() const { return {pieces_root, length}; }
  // The sizes are of a valid metainfo: Validate() what comes from outside first.
  uint32_t piece_count() const {
    return static_cast<uint32_t>(tree.empty() ? (length + piece_length - 1) / piece_length
                                              : tree.piece_count());
  }
  uint32_t piece_size(uint32_t index) const;   // bytes of piece `index`; a file's last may be short
  uint32_t block_count(uint32_t index) const;  // 16 KiB blocks of piece `index`
  // Piece `index` as version 1 has it: with the zeros behind the end of a file in a tree.
  uint32_t padded_piece_size(uint32_t index) const;
  // Where the content's bytes end, counted from the beginning of piece 0: `length`, and in a tree the zeros
  // between its files.
  uint64_t end_offset() const;
  // Bytes of the file that piece `index` is of.
  uint64_t file_length(uint32_t index) const;

  // Limits, name and counts. kInvalidArgument says what is wrong.
  absl::Status ValidateForm(const MetainfoLimits& limits) const;
  // The form, and the piece layer against the root: as many SHA-256 as there are pieces.
  absl::Status Validate(const MetainfoLimits& limits = {}) const;
  // The entries of the piece layer that are of the tree's file `file`.
  std::span<const Sha256Digest> LayerOf(size_t file) const;
  // True if `leaves` (SHA-256 of each block of piece `index`) hash up to what this torrent promises.
  bool VerifyPiece(uint32_t index, std::span<const Sha256Digest> leaves) const;

  // Bencoded info dictionary of one format; kHybrid and kV1 need v1_pieces (CHECKed: see Has).
  std::string InfoBytes(TorrentFormat format) const;
  bool Has(TorrentFormat format) const { return format == TorrentFormat::kV2 || !v1_pieces.empty(); }
  // SHA-1 of the info (v1, hybrid's v1 side).
  Sha1Digest InfoHashV1(TorrentFormat format) const;
  // SHA-256 of the info (v2, hybrid's v2 side).
  Sha256Digest InfoHashV2(TorrentFormat format) const;
  // Every 20-byte info-hash that means this content: v1, hybrid v1, hybrid v2, v2, foreign ones.
  std::vector<InfoHash> AllInfoHashes() const;

  static constexpr int kMembersApart = 1;  // tree
  static constexpr void Fields(auto& self, auto&& visit) {
    visit("name", self.name);
    visit("length", self.length);
    visit("piece_length", self.piece_length);
    visit("pieces_root", self.pieces_root);
    visit("piece_layer", self.piece_layer);
    visit("v1_pieces", self.v1_pieces);
    visit("foreign_info_hashes", self.foreign_info_hashes);
  }
  friend bool operator==(const Metainfo&, const Metainfo&) = default;

 private:
  absl::Status ValidateTreeForm() const;
};

// Refuses empty names, path separators, "." and "..", NUL, control characters, over `bytes_max` bytes,
// invalid UTF-8; says which.
absl::Status ValidateName(std::string_view name, size_t bytes_max = kNameLimit);

// The piece length `create` takes when none is given: a power of two such that there are at most about
// 2,048 pieces, between 16 KiB and 16 MiB.
uint32_t DefaultPieceLength(uint64_t length);

struct TorrentFile {
  Metainfo metainfo;
  TorrentFormat format = TorrentFormat::kHybrid;
  std::vector<std::string> trackers;  // announce URLs, in order of the tiers
  // Info-hashes that are said to mean this content too, beside info and without proof. They may be dialled
  // and answered (what comes is checked anyway), and must never be registered. At most 2.
  std::vector<InfoHash> told_info_hashes;
};

// Reads a .torrent. kInvalidArgument with the reason for anything hostile, malformed, empty,
// or v1-only without the content root that this project's own `create` puts beside the info dictionary.
absl::StatusOr<TorrentFile> ParseTorrent(std::string_view bytes);

// Writes a .torrent. Beside `info` a dictionary `bytetorrent` carries what that format leaves out: in a v1
// file "pieces root", or of a tree "file tree" as BEP 52 has it, and "piece layer", the pieces' nodes, when
// the root or roots are not the pieces themselves, without which it could not be registered; in a v2 file
// "pieces", the v1 piece hashes, when they are known (and "padded end", FileTree's); and "info hashes", the
// foreign ones, whose info dictionary is not this file's. Other clients ignore it.
std::string WriteTorrent(const TorrentFile& torrent);

// The hashes of one piece: its node of the BEP 52 tree and its BEP 3 hash.
struct PieceHashes {
  Sha256Digest node{};
  Sha1Digest sha1{};
};

// Hashes the pieces of a content one at a time, each from bytes fed in any cut. Pieces do not depend on each
// other: several hashers may work on one content, each on a thread of its own.
class PieceHasher {
 public:
  // Of `form` the lengths and the tree count; it must outlive the hasher.
  explicit PieceHasher(const Metainfo& form) : form_(form) {}
  void Update(std::string_view bytes);
  // Of piece `index`, all of whose bytes were fed; and starts over.
  PieceHashes Finish(uint32_t index);

 private:
  void FlushBlock();

  const Metainfo& form_;
  std::string partial_;               // the beginning of a block; at most kBlockSize
  std::vector<Sha256Digest> leaves_;  // at most kPieceLengthMax of blocks
  Sha1Stream sha1_;
};

// The metainfo of the content of this form (name, lengths, paths) from the hashes of all its pieces, in
// order.
Metainfo AssembleMetainfo(Metainfo form, std::span<const PieceHashes> pieces);

// Builds a Metainfo from file bytes fed in order: the pure half of `create`.
class MetainfoBuilder {
 public:
  MetainfoBuilder(std::string name, uint64_t length, uint32_t piece_length);
  // Of a tree: the pieces_roots in `tree` do not count.
  MetainfoBuilder(std::string name, FileTree tree, uint32_t piece_length);
  ~MetainfoBuilder();
  MetainfoBuilder(MetainfoBuilder&&) noexcept;
  // Any cut; exactly `length` bytes in all before Finish. Of a tree its files' bytes, one behind the other.
  void Update(std::string_view bytes);
  Metainfo Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bt
