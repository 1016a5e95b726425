#pragma once

// Judgements: all that judges have come to know in any future. What a judge knows after a future depends on
// what it saw, in order; alike ones are kept once, as one number, and each verdict is found once.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/halves.h"
#include "core/base/ids.h"

namespace bt::sim::explore {

template <class Judge>
class Judgements {
 public:
  // `merge`: alike judges are one.
  Judgements(Judge first, bool merge) : merge_(merge) {
    known_[first.Digest()] = 0;
    digests_.push_back(first.Digest());
    judges_.push_back(std::make_unique<const Judge>(std::move(first)));
  }

  // What the judge knows when it has seen this of the node as well; nullopt: something is wrong, and
  // `sentence` says what. `number`: equal for equal nodes and sights.
  template <class Seen>
  std::optional<uint32_t> See(uint32_t judge, NodeId node, uint32_t number, const Seen& seen,
                              std::string& sentence) {
    const auto [known, fresh] = verdicts_.try_emplace(Join(judge, number), 0);
    if (fresh) known->second = Try(judge, node, seen);
    if ((known->second & kWrong) == 0) return known->second;
    sentence = sentences_[known->second & ~kWrong];
    return std::nullopt;
  }
  uint64_t digest(uint32_t judge) const { return digests_[judge]; }
  size_t size() const { return judges_.size(); }

 private:
  static constexpr uint32_t kWrong = 1u << 31;

  template <class Seen>
  uint32_t Try(uint32_t before, NodeId node, const Seen& seen) {
    auto judge = std::make_unique<Judge>(*judges_[before]);
    if (std::optional<std::string> sentence = judge->See(node, seen)) {
      sentences_.push_back(*std::move(sentence));
      return kWrong | static_cast<uint32_t>(sentences_.size() - 1);
    }
    const uint64_t digest = judge->Digest();
    if (merge_) {
      const auto [known, fresh] = known_.try_emplace(digest, static_cast<uint32_t>(judges_.size()));
      if (!fresh) return known->second;
    }
    digests_.push_back(digest);
    judges_.push_back(std::move(judge));
    return static_cast<uint32_t>(judges_.size() - 1);
  }

  const bool merge_;
  std::vector<std::unique_ptr<const Judge>> judges_;
  std::vector<uint64_t> digests_;
  std::vector<std::string> sentences_;
  absl::flat_hash_map<uint64_t, uint32_t> known_;     // judges by digest
  absl::flat_hash_map<uint64_t, uint32_t> verdicts_;  // by judge and sight
};

}  // namespace bt::sim::explore
