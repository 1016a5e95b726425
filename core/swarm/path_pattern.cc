#include "core/swarm/path_pattern.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace bt::swarm {
namespace {

// The ends of the path's beginnings that the pattern read so far can stand for.
using Ends = std::vector<bool>;

Ends AfterByte(const Ends& before, char byte, std::string_view path) {
  Ends after(before.size());
  for (size_t i = 0; i < path.size(); ++i) {
    after[i + 1] = before[i] && (byte == '?' ? path[i] != '/' : path[i] == byte);
  }
  return after;
}

Ends AfterStar(const Ends& before, bool over_slashes, std::string_view path) {
  Ends after = before;
  for (size_t i = 0; i < path.size(); ++i) {
    if (after[i] && (over_slashes || path[i] != '/')) after[i + 1] = true;
  }
  return after;
}

Ends AfterDirectories(const Ends& before, std::string_view path) {
  Ends after = before;
  bool begun = false;
  for (size_t i = 0; i < path.size(); ++i) {
    begun |= before[i];
    if (begun && path[i] == '/') after[i + 1] = true;
  }
  return after;
}

std::string_view WithoutSlash(std::string_view pattern) {
  if (pattern.ends_with('/')) pattern.remove_suffix(1);
  return pattern;
}

// Pairs of neighbouring letters, sorted; ASCII letters are taken for small ones.
std::vector<uint16_t> Pairs(std::string_view text) {
  const auto small = [](char c) { return static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); };
  std::vector<uint16_t> pairs;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    pairs.push_back(static_cast<uint16_t>(small(text[i]) << 8 | small(text[i + 1])));
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

size_t Common(const std::vector<uint16_t>& one, const std::vector<uint16_t>& other) {
  size_t common = 0;
  for (size_t i = 0, j = 0; i < one.size() && j < other.size();) {
    if (one[i] == other[j]) {
      ++common;
      ++i;
      ++j;
    } else if (one[i] < other[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return common;
}

}  // namespace

bool PatternMeans(std::string_view pattern, std::string_view path) {
  pattern = WithoutSlash(pattern);
  Ends ends(path.size() + 1);
  ends[0] = true;
  bool part_begins = true;
  while (!pattern.empty()) {
    size_t used = 1;
    if (part_begins && pattern.starts_with("**/")) {
      used = 3;
      ends = AfterDirectories(ends, path);
    } else if (pattern.starts_with("**")) {
      used = 2;
      ends = AfterStar(ends, true, path);
    } else if (pattern.front() == '*') {
      ends = AfterStar(ends, false, path);
    } else {
      ends = AfterByte(ends, pattern.front(), path);
    }
    part_begins = pattern[used - 1] == '/';
    pattern.remove_prefix(used);
  }
  if (ends[path.size()]) return true;
  for (size_t i = 1; i < path.size(); ++i) {
    if (ends[i] && path[i] == '/') return true;
  }
  return false;
}

bool PatternNames(std::string_view pattern, std::string_view path) {
  pattern = WithoutSlash(pattern);
  return path.starts_with(pattern) && (path.size() == pattern.size() || path[pattern.size()] == '/');
}

std::vector<std::string> NearPaths(std::string_view pattern, const FileTree& tree, size_t count) {
  const std::vector<uint16_t> wanted = Pairs(pattern);
  struct Near {
    size_t common = 0;
    size_t size = 0;   // pairs of the path
    std::string path;  // at most kTreePathLimit
  };
  std::vector<Near> near;
  for (const FileTree::File& file : tree.files()) {
    std::string path = file.Path();
    const std::vector<uint16_t> pairs = Pairs(path);
    const size_t common = Common(wanted, pairs);
    if (2 * common < wanted.size() || common == 0) continue;
    near.push_back({common, pairs.size(), std::move(path)});
  }
  // Of those that share as much, the shorter ones have less that was not meant.
  std::stable_sort(near.begin(), near.end(), [](const Near& a, const Near& b) {
    return a.common != b.common ? a.common > b.common : a.size < b.size;
  });
  std::vector<std::string> paths;
  for (size_t i = 0; i < near.size() && i < count; ++i) paths.push_back(std::move(near[i].path));
  return paths;
}

}  // namespace bt::swarm
