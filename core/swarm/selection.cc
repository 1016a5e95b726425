#include "core/swarm/selection.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "core/swarm/path_pattern.h"

namespace bt::swarm {
namespace {

constexpr size_t kNearPaths = 5;

absl::Status Unmatched(const std::string& pattern, const Metainfo& metainfo) {
  const std::vector<std::string> near = NearPaths(pattern, metainfo.tree, kNearPaths);
  const std::string what = absl::StrCat("no file of ", metainfo.name, " matches '", pattern, "'; ");
  if (!near.empty()) return absl::NotFoundError(absl::StrCat(what, "near it: ", absl::StrJoin(near, ", ")));
  return absl::NotFoundError(
      absl::StrCat(what, "it has ", metainfo.tree.files().size(), " files, inspect lists them"));
}

}  // namespace

Selection::Selection(const Metainfo& metainfo)
    : unselected_(metainfo.piece_count()),
      files_(static_cast<uint32_t>(metainfo.tree.files().size())),
      pieces_(metainfo.piece_count()),
      bytes_(metainfo.length) {}

absl::StatusOr<Selection> Selection::Of(const Metainfo& metainfo, const std::vector<std::string>& patterns) {
  Selection selection(metainfo);
  if (patterns.empty()) return selection;
  const FileTree& tree = metainfo.tree;
  if (tree.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(metainfo.name, " is a single file: there is nothing to select from"));
  }
  if (patterns.size() > kPatternLimit) {
    return absl::InvalidArgumentError(absl::StrCat("at most ", kPatternLimit, " patterns select files"));
  }
  selection.by_file_.assign(tree.files().size(), false);
  for (const std::string& pattern : patterns) {
    if (pattern.empty() || pattern.size() > kPatternBytesLimit) {
      return absl::InvalidArgumentError(
          absl::StrCat("a pattern that selects files has between 1 and ", kPatternBytesLimit, " bytes"));
    }
    if (!selection.Add(tree, pattern, PatternNames) && !selection.Add(tree, pattern, PatternMeans)) {
      return Unmatched(pattern, metainfo);
    }
  }
  selection.Count(metainfo);
  return selection;
}

bool Selection::Add(const FileTree& tree, std::string_view pattern, Means means) {
  bool any = false;
  for (size_t i = 0; i < tree.files().size(); ++i) {
    if (!means(pattern, tree.files()[i].Path())) continue;
    any = by_file_[i] = true;
  }
  return any;
}

void Selection::Count(const Metainfo& metainfo) {
  files_ = pieces_ = 0;
  bytes_ = 0;
  const FileTree& tree = metainfo.tree;
  for (size_t i = 0; i < tree.files().size(); ++i) {
    if (!by_file_[i]) continue;
    ++files_;
    bytes_ += tree.files()[i].length;
  }
  for (uint32_t piece = 0; piece < metainfo.piece_count(); ++piece) {
    if (by_file_[tree.FileOf(piece)]) {
      ++pieces_;
    } else {
      unselected_.Add(PieceIndex(piece));
    }
  }
}

}  // namespace bt::swarm
