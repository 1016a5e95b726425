#pragma once

// Messages: every message that any future has sent, each as one number from 1. Equal ones between the same
// two nodes have equal numbers. They have been through the codec, as on a real link.

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/base/halves.h"
#include "core/base/ids.h"

namespace bt::sim::explore {

template <class P>
class Messages {
 public:
  struct Known {
    NodeId from;
    NodeId to;
    typename P::Message message;
    uint64_t digest = 0;
  };

  Messages() : known_(1) {}

  uint32_t NumberOf(NodeId from, NodeId to, const typename P::Message& message) {
    std::string bytes = Encode(message);
    const uint64_t ends = Join(from.value(), to.value());
    const auto [number, fresh] =
        numbers_.try_emplace(std::pair(ends, bytes), static_cast<uint32_t>(known_.size()));
    if (fresh) {
      RollingDigest digest;
      digest.Add(ends);
      digest.Add(bytes);
      absl::StatusOr<typename P::Message> decoded = Decode<typename P::Message>(Slice::Own(std::move(bytes)));
      CHECK_MSG(decoded.ok(), "a message that was sent does not decode");
      known_.push_back({from, to, *std::move(decoded), digest.value()});
    }
    return number->second;
  }
  const Known& operator[](uint32_t number) const { return known_[number]; }
  size_t size() const { return known_.size() - 1; }

 private:
  std::vector<Known> known_;
  absl::flat_hash_map<std::pair<uint64_t, std::string>, uint32_t> numbers_;
};

}  // namespace bt::sim::explore
