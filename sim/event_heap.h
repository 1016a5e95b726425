#pragma once

// EventHeap: what is scheduled in a world, ordered by (time, sequence): events of one time come in the order
// in which they were scheduled. A 4-ary heap: half the levels of a binary one, and the children of a node lie
// in two cache lines. Used by World alone.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/time.h"

namespace bt::sim {

// Something that can be scheduled. `argument` is the sink's own. A sink outlives the run it is part of.
class EventSink {
 public:
  virtual void Fire(uint64_t argument) = 0;

 protected:
  ~EventSink() = default;
};

// An argument that says more than one thing: a kind, in the highest 8 bits, a number of kMiddleBits, and
// another in the rest. Each number is cut to its width.
template <int kMiddleBits, class Kind>
struct EventArgument {
  static constexpr int kLowBits = 56 - kMiddleBits;
  static constexpr uint64_t kMiddleMask = (uint64_t{1} << kMiddleBits) - 1;
  static constexpr uint64_t kLowMask = (uint64_t{1} << kLowBits) - 1;

  Kind kind;
  uint64_t middle = 0;
  uint64_t low = 0;

  static EventArgument From(uint64_t packed) {
    return {static_cast<Kind>(packed >> 56), packed >> kLowBits & kMiddleMask, packed & kLowMask};
  }
  uint64_t packed() const {
    return static_cast<uint64_t>(kind) << 56 | (middle & kMiddleMask) << kLowBits | (low & kLowMask);
  }
};

struct Event {
  int64_t time;
  uint64_t sequence;
  EventSink* sink;
  uint64_t argument;
};

class EventHeap {
 public:
  EventHeap() { heap_.reserve(1024); }

  bool empty() const { return heap_.empty(); }
  // Only when not empty.
  int64_t next_time() const { return heap_.front().time; }

  void Push(Instant when, EventSink* sink, uint64_t argument) {
    const Event event{when.ns, ++sequence_, sink, argument};
    size_t hole = heap_.size();
    heap_.push_back(event);
    while (hole > 0) {
      const size_t parent = (hole - 1) / 4;
      if (!Before(event, heap_[parent])) break;
      heap_[hole] = heap_[parent];
      hole = parent;
    }
    heap_[hole] = event;
  }

  Event Pop() {
    const Event top = heap_.front();
    const Event last = heap_.back();
    heap_.pop_back();
    const size_t size = heap_.size();
    if (size == 0) return top;
    size_t hole = 0;
    while (true) {
      const size_t first = hole * 4 + 1;
      if (first >= size) break;
      size_t best = first;
      const size_t end = std::min(first + 4, size);
      for (size_t child = first + 1; child < end; ++child) {
        if (Before(heap_[child], heap_[best])) best = child;
      }
      if (!Before(heap_[best], last)) break;
      heap_[hole] = heap_[best];
      hole = best;
    }
    heap_[hole] = last;
    return top;
  }

 private:
  static bool Before(const Event& a, const Event& b) {
    return a.time != b.time ? a.time < b.time : a.sequence < b.sequence;
  }

  std::vector<Event> heap_;
  uint64_t sequence_ = 0;
};

}  // namespace bt::sim
