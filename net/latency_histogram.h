#pragma once

// LatencyHistogram: how often something took how long, in fixed classes. A value, to be copied between
// threads.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace bt::net {

struct LatencyHistogram {
  // A class holds what took at most so long; one more holds the rest.
  static constexpr std::array<int64_t, 11> kMicrosecondsMax = {
      100, 250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 100'000, 500'000, 2'000'000};
  std::array<uint64_t, kMicrosecondsMax.size() + 1> counts{};
  Duration sum;

  void Add(Duration latency) {
    const auto fits = std::find_if(kMicrosecondsMax.begin(), kMicrosecondsMax.end(),
                                   [&](int64_t most) { return latency <= Microseconds(most); });
    ++counts[static_cast<size_t>(fits - kMicrosecondsMax.begin())];
    sum = sum + latency;
  }
};

}  // namespace bt::net
