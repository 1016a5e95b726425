#pragma once

// Backlog<P>: what came for a process while it was stalled or slow, to be taken up when it goes on. Raw bytes
// are for the adaptor to read, inputs for the machine. What one sender sent stays in order.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/slice.h"
#include "core/machine/input.h"
#include "sim/random_stream.h"

namespace bt::sim {

struct RawBytes {
  uint32_t from = 0;
  Slice bytes;
};

template <class P>
class Backlog {
 public:
  using Item = std::variant<RawBytes, Input<P>>;
  static constexpr size_t kItemsMax = size_t{1} << 20;

  void Push(Item item) {
    CHECK_MSG(items_.size() < kItemsMax, "a stalled node's backlog is past any socket buffer");
    items_.push_back(std::move(item));
  }
  Item Pop() {
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }
  void Clear() { items_.clear(); }
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }

  // Connections are read in any order.
  void Shuffle(RandomStream& rng) {
    std::vector<std::pair<uint32_t, uint64_t>> order;  // sender, draw
    const auto draw_of = [&](const Item& item) {
      const auto* raw = std::get_if<RawBytes>(&item);
      const uint32_t sender = raw != nullptr ? raw->from : UINT32_MAX;
      for (const auto& [known, draw] : order) {
        if (known == sender) return draw;
      }
      order.emplace_back(sender, rng.Next());
      return order.back().second;
    };
    for (const Item& item : items_) draw_of(item);
    std::stable_sort(items_.begin(), items_.end(),
                     [&](const Item& a, const Item& b) { return draw_of(a) < draw_of(b); });
  }

 private:
  std::deque<Item> items_;
};

}  // namespace bt::sim
