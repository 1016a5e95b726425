#pragma once

// Queues: the contents of links, each as one number. A queue is made of message numbers, first in, first out;
// 0 is the empty one. Equal contents have equal numbers. A queue never changes: what is added or taken gives
// another one.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <vector>

namespace bt::sim::explore {

class Queues {
 public:
  // A link that holds more is a scope without end: Push CHECKs.
  static constexpr size_t kLengthMax = 64;

  Queues() : contents_(1) { numbers_[{}] = 0; }

  uint32_t Push(uint32_t queue, uint32_t message);
  // Without the message at this place, which must be there.
  uint32_t Without(uint32_t queue, size_t place);
  const std::vector<uint32_t>& operator[](uint32_t queue) const { return contents_[queue]; }
  size_t size() const { return contents_.size(); }

 private:
  uint32_t NumberOf(std::vector<uint32_t> content);

  std::vector<std::vector<uint32_t>> contents_;
  absl::flat_hash_map<std::vector<uint32_t>, uint32_t> numbers_;
  absl::flat_hash_map<uint64_t, uint32_t> pushed_;   // by queue and message
  absl::flat_hash_map<uint64_t, uint32_t> without_;  // by queue and place
};

}  // namespace bt::sim::explore
