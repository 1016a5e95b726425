#pragma once

// The id a client draws for itself (BEP 20): its kind and version, and twelve characters of chance.

#include <algorithm>
#include <string_view>

#include "core/base/rng.h"
#include "core/swarm/wire.h"

namespace bt::swarm {

inline wire::PeerId DrawPeerId(Rng& rng) {
  constexpr std::string_view kPrefix = "-BY0100-";
  wire::PeerId id{};
  std::copy(kPrefix.begin(), kPrefix.end(), id.begin());
  for (size_t i = kPrefix.size(); i < id.size(); ++i) {
    id[i] = static_cast<uint8_t>("0123456789abcdefghijklmnopqrstuvwxyz"[rng.Below(36)]);
  }
  return id;
}

}  // namespace bt::swarm
