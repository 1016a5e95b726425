#pragma once

// SlotMap: values at small dense numbers that are used again. A number is given out again as soon as it was
// given back, the latest first; a key (the number with its generation) is never the same twice, within 2^31
// uses of one number, so that an answer for a value that is gone finds nothing.
// For tables whose entries are named in messages, events or tokens. The user bounds their number.

#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/halves.h"

namespace bt {

template <class T>
class SlotMap {
 public:
  // The number of a free place. Its value is as the last user left it, which saves allocations.
  uint32_t Take() {
    ++size_;
    if (free_.empty()) {
      places_.emplace_back();
      places_.back().used = true;
      return static_cast<uint32_t>(places_.size() - 1);
    }
    const uint32_t number = free_.back();
    free_.pop_back();
    places_[number].used = true;
    return number;
  }
  void GiveBack(uint32_t number) {
    CHECK(places_[number].used);
    places_[number].used = false;
    if (++places_[number].generation > INT32_MAX) places_[number].generation = 1;
    free_.push_back(number);
    --size_;
  }

  T& operator[](uint32_t number) { return places_[number].value; }
  const T& operator[](uint32_t number) const { return places_[number].value; }

  // Fits in 63 bits; 0 is nobody's key.
  uint64_t KeyOf(uint32_t number) const { return Join(places_[number].generation, number); }
  static uint32_t NumberOf(uint64_t key) { return LowHalf(key); }
  // False when the place was given back since, or never given out.
  bool Holds(uint64_t key) const {
    const uint32_t number = NumberOf(key);
    return number < places_.size() && places_[number].used && KeyOf(number) == key;
  }

  uint32_t size() const { return size_; }  // in use
  // One more than the highest number ever given out.
  uint32_t end() const { return static_cast<uint32_t>(places_.size()); }

 private:
  struct Place {
    T value{};
    uint32_t generation = 1;
    bool used = false;
  };
  std::vector<Place> places_;
  std::vector<uint32_t> free_;
  uint32_t size_ = 0;
};

}  // namespace bt
