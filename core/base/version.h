#pragma once

// The version of this source tree: what every program says to --version. Any layer may use it.

namespace bt {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace bt
