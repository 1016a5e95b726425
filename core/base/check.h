#pragma once

// CHECK stops the process when an invariant is broken: in production as in tests.
// It is for what can only be a bug of ours, never for input from outside.

#include <string>

namespace bt {

// Prints "CHECK failed: expression (message) at file:line" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression, const std::string& message);

}  // namespace bt

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) [[unlikely]] {                                      \
      ::bt::CheckFailed(__FILE__, __LINE__, #condition, ::std::string()); \
    }                                                                     \
  } while (false)

// The message is evaluated only when the condition is false.
#define CHECK_MSG(condition, message)                               \
  do {                                                              \
    if (!(condition)) [[unlikely]] {                                \
      ::bt::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
    }                                                               \
  } while (false)
