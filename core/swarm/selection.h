#pragma once

// Selection: what of a torrent a download is to fetch: everything, or the files of a tree that its user has
// named. Every piece is of one file (BEP 52 lays files out so, and a version 1 side that does not is
// refused), so that a selection of files is one of whole pieces.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

inline constexpr size_t kPatternLimit = 256;                  // patterns of one download
inline constexpr size_t kPatternBytesLimit = kTreePathLimit;  // bytes of one of them

class Selection {
 public:
  // Everything. `metainfo` is valid.
  explicit Selection(const Metainfo& metainfo);
  // The files that any of `patterns` means (path_pattern.h), everything if there is none. A pattern that is a
  // path means that alone. kNotFound: one of them means no file; the message names paths that are near.
  // kInvalidArgument: there is nothing to select from, or there are too many patterns or too long ones.
  static absl::StatusOr<Selection> Of(const Metainfo& metainfo, const std::vector<std::string>& patterns);

  // Patterns were given, also such as mean everything.
  bool given() const { return !by_file_.empty(); }
  bool HasFile(size_t file) const { return by_file_.empty() || by_file_[file]; }
  bool Has(PieceIndex piece) const { return !unselected_.Has(piece); }
  const PieceMap& unselected() const { return unselected_; }

  uint32_t files() const { return files_; }    // selected; 0 if the torrent is of a single file
  uint32_t pieces() const { return pieces_; }  // selected; 0 if all files selected are empty
  uint64_t bytes() const { return bytes_; }    // selected

 private:
  using Means = bool (*)(std::string_view pattern, std::string_view path);
  // True if any file is meant.
  bool Add(const FileTree& tree, std::string_view pattern, Means means);
  void Count(const Metainfo& metainfo);

  std::vector<bool> by_file_;  // empty: no patterns were given; one for each file
  PieceMap unselected_;
  uint32_t files_ = 0;
  uint32_t pieces_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace bt::swarm
