#pragma once

// Who holds most of a table, for its alarm. Counts by source, which nothing that is applied depends on.

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/tracker/source.h"

namespace bt::tracker {

// At most `most` of the sources, those that hold most and at least `least`, the largest first.
template <class Held>
std::vector<Source> LargestOf(std::vector<Source> sources, size_t most, uint64_t least, Held held) {
  std::erase_if(sources, [&](Source source) { return held(source) < least; });
  std::sort(sources.begin(), sources.end(),
            [&](Source a, Source b) { return std::pair(held(b), a) < std::pair(held(a), b); });
  if (sources.size() > most) sources.resize(most);
  return sources;
}

// "; most are of 192.0.2.7 (131072), ...": by what each of the sources holds. Empty for none.
template <class Held>
std::string MostAreOf(const std::vector<Source>& sources, Held held) {
  std::string text;
  for (const Source source : sources) {
    if (held(source) == 0) continue;
    absl::StrAppend(&text, text.empty() ? "; most are of " : ", ", SourceText(source), " (", held(source),
                    ")");
  }
  return text;
}

// Rows of one table, by the source that each is of.
class Holders {
 public:
  // Who holds at least so many is found by Largest.
  static constexpr uint32_t kLarge = 1024;

  void Add(Source source) {
    if (++counts_[source] == kLarge) large_.insert(source);
  }
  void Remove(Source source) {
    const auto found = counts_.find(source);
    CHECK(found != counts_.end());
    if (found->second == kLarge) large_.erase(source);
    if (--found->second == 0) counts_.erase(found);
  }
  uint32_t Of(Source source) const {
    const auto found = counts_.find(source);
    return found == counts_.end() ? 0 : found->second;
  }
  std::vector<Source> Largest(size_t most) const {
    return LargestOf({large_.begin(), large_.end()}, most, kLarge, [&](Source source) { return Of(source); });
  }

 private:
  absl::flat_hash_map<Source, uint32_t> counts_;  // look-up only; at most one for each of `sessions`
  absl::btree_set<Source> large_;                 // at most one for each of counts_
};

}  // namespace bt::tracker
