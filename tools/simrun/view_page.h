#pragma once

// view.html as a string; the build makes the source file that defines it.

#include <string_view>

namespace bt::sim {

extern const std::string_view kViewPage;

}  // namespace bt::sim
