#pragma once

// FileTree: the files of a torrent that is a directory, and where each lies in the torrent's bytes: one
// behind the other in the order of their paths, each from the beginning of a piece on (BEP 52), zeros between
// them. An empty tree (no files) stands in the metainfo of a single file. Part of Metainfo.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/bencode.h"

namespace bt {

// Trackers' replicas decide by these numbers whether a registration is valid, so they are frozen with the
// format level that brought trees (core/tracker/format_level.h): other ones would need a level of their own.
inline constexpr uint32_t kTreeFileLimit = 16384;    // files in one tree
inline constexpr uint32_t kTreeDepthLimit = 24;      // parts of one path
inline constexpr uint32_t kTreePathLimit = 1024;     // bytes of one path, separators included
inline constexpr uint64_t kTreeTextLimit = 2 << 20;  // bytes of all paths

class FileTree {
 public:
  struct File {
    std::vector<std::string> path;  // the parts, from the tree's directory on; at most kTreeDepthLimit
    uint64_t length = 0;            // bytes; may be 0
    Sha256Digest pieces_root{};     // BEP 52; zeros for an empty file
    bool executable = false;        // BEP 47, attr "x"

    std::string Path() const;  // with / between the parts
    static constexpr void Fields(auto& self, auto&& visit) {
      visit("path", self.path);
      visit("length", self.length);
      visit("pieces_root", self.pieces_root);
      visit("executable", self.executable);
    }
    friend bool operator==(const File&, const File&) = default;
  };

  FileTree() = default;
  // `files` in the order of their paths, part by part as raw bytes; what comes from outside is checked by
  // Validate before anything else is asked. `piece_length` > 0. `padded_end`: the version 1 side ends with
  // zeros up to the end of the last piece, as libtorrent has it; BEP 52 asks for none.
  FileTree(std::vector<File> files, uint32_t piece_length, bool padded_end = false);

  // As it travels (core/base/fields.h).
  struct Plain {
    std::vector<File> files;  // at most kTreeFileLimit
    uint32_t piece_length = 0;
    bool padded_end = false;

    static constexpr void Fields(auto& self, auto&& visit) {
      visit("files", self.files);
      visit("piece_length", self.piece_length);
      visit("padded_end", self.padded_end);
    }
  };
  Plain ToPlain() const { return {files_, piece_length_, padded_end_}; }
  static std::optional<FileTree> FromPlain(Plain plain);

  bool empty() const { return files_.empty(); }
  uint32_t piece_length() const { return piece_length_; }  // 0: there is no tree
  const std::vector<File>& files() const { return files_; }
  bool padded_end() const { return padded_end_; }
  uint64_t length() const { return length_; }  // bytes of all files
  uint64_t piece_count() const { return piece_count_; }
  uint64_t first_piece(size_t file) const { return first_piece_[file]; }
  // Which file `piece` (below piece_count) is of.
  size_t FileOf(uint32_t piece) const;
  bool operator==(const FileTree& other) const {
    return files_ == other.files_ && piece_length_ == other.piece_length_ && padded_end_ == other.padded_end_;
  }

  // What names the content: SHA-256 over 16 KiB, "bytetorrent tree" and zeros, and the bencoded file tree.
  // That is longer than all that BEP 52 hashes at a time, so that no single file has the root of a tree.
  // Independent of piece length, padding and the directory's name.
  Sha256Digest Root() const;
  // Paths, order, limits. kInvalidArgument says which file, and why.
  absl::Status Validate() const;

  // --- as in an info dictionary; ReadTree leaves Validate to the caller ---

  void WriteTree(bencode::Writer& writer) const;   // the value of "file tree" (BEP 52)
  void WriteFiles(bencode::Writer& writer) const;  // of "files" (BEP 3, BEP 47)
  static absl::StatusOr<std::vector<File>> ReadTree(const bencode::Value& tree);
  // Holds "files" against this tree: the same files in the same order, padding between them so that each
  // begins with a piece. The result says whether the end is padded too.
  absl::StatusOr<bool> CheckFiles(const bencode::Value& files) const;

 private:
  std::vector<File> files_;            // at most kTreeFileLimit
  std::vector<uint64_t> first_piece_;  // by file; of an empty one that of the next; one for each file
  std::vector<uint32_t> not_empty_;    // files that have pieces; one for each file
  uint64_t length_ = 0;
  uint64_t piece_count_ = 0;
  uint32_t piece_length_ = 0;
  bool padded_end_ = false;
};

}  // namespace bt
