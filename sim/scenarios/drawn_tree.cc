#include "sim/scenarios/drawn_tree.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace bt::sim {

FileTree DrawTree(RandomStream& rng, uint32_t piece_length) {
  std::vector<FileTree::File> files;
  const uint64_t count = rng.Between(1, 12);
  for (uint64_t i = 0; i < count; ++i) {
    FileTree::File file;
    for (uint64_t depth = rng.Below(3); depth > 0; --depth)
      file.path.push_back(absl::StrCat("d", rng.Below(3)));
    file.path.push_back(absl::StrCat("f", i));
    file.executable = rng.Chance(1, 4);
    switch (rng.Below(4)) {
      case 0:
        file.length = i == 0 ? 1 : rng.Below(2);
        break;
      case 1:
        file.length = rng.Between(piece_length - 1, piece_length + 1);
        break;
      case 2:
        file.length = piece_length * rng.Between(1, 3);
        break;
      default:
        file.length = rng.Between(1, 100'000);
    }
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return FileTree(std::move(files), piece_length, rng.Chance(1, 2));
}

}  // namespace bt::sim
