#pragma once

// Tagged<Tag, Rep>: an integer that cannot be mixed up with another kind of integer.

#include <compare>
#include <cstdint>
#include <limits>
#include <utility>

namespace bt {

template <class Tag, class Rep>
class Tagged {
 public:
  using rep = Rep;

  constexpr Tagged() = default;
  constexpr explicit Tagged(Rep value) : value_(value) {}

  static constexpr Tagged Max() { return Tagged(std::numeric_limits<Rep>::max()); }

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(Tagged, Tagged) = default;
  constexpr Tagged& operator++() {
    ++value_;
    return *this;
  }
  constexpr Tagged next() const { return Tagged(value_ + 1); }
  constexpr Tagged operator+(Rep n) const { return Tagged(value_ + n); }
  constexpr Tagged operator-(Rep n) const { return Tagged(value_ - n); }
  // The distance between two ids of one kind is a plain number.
  constexpr Rep operator-(Tagged other) const { return value_ - other.value_; }

  template <class H>
  friend H AbslHashValue(H state, Tagged tagged) {
    return H::combine(std::move(state), tagged.value_);
  }

 private:
  Rep value_ = 0;
};

}  // namespace bt
