#include "core/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace bt {

void CheckFailed(const char* file, int line, const char* expression, const std::string& message) {
  std::fprintf(stderr, "CHECK failed: %s%s%s%s at %s:%d\n", expression, message.empty() ? "" : " (",
               message.c_str(), message.empty() ? "" : ")", file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace bt
