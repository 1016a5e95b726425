#pragma once

// TreeForm: the files of a tree as they are kept in commands and snapshots, beside the metainfo they belong to.

#include <vector>

#include "core/torrent/metainfo.h"

namespace bt::tracker {

struct TreeForm {
  std::vector<FileTree::File> files;
  bool padded_end = false;

  static TreeForm Of(const FileTree& tree) { return {tree.files(), tree.padded_end()}; }
  // False: there is no such tree. Nothing else is checked here (Metainfo::Validate).
  bool PutInto(Metainfo& metainfo) const {
    if (files.empty() || metainfo.piece_length == 0) return false;
    metainfo.tree = FileTree(files, metainfo.piece_length, padded_end);
    return true;
  }

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("files", self.files);
    visit("padded_end", self.padded_end);
  }
};

}  // namespace bt::tracker
