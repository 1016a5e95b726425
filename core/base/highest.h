#pragma once

// Highest: the most that something with a limit was since it was made. For gauges that an operator looks at:
// nothing that is decided depends on it.

#include <algorithm>
#include <cstdint>

namespace bt {

class Highest {
 public:
  void Note(uint64_t now) { value_ = std::max(value_, now); }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace bt
