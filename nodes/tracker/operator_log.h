#pragma once

// OperatorLog: what a node says to whoever operates it, one line each on stderr, with time and level. JSON
// lines are objects with "time", "level" and "message". Loop thread only.

#include <cstdint>
#include <string>
#include <string_view>

namespace bt::nodes {

enum class LogFormat : uint8_t { kText, kJson };
enum class LogLevel : uint8_t {
  kInfo,     // as it should be
  kWarning,  // the node goes on, and somebody should look
  kError,    // the node stops
};

// Without the end of the line. `unix_milliseconds`: the time, told in UTC.
std::string LogLine(LogFormat format, LogLevel level, int64_t unix_milliseconds, std::string_view message);

class OperatorLog {
 public:
  explicit OperatorLog(LogFormat format) : format_(format) {}

  void Info(std::string_view message) const { Write(LogLevel::kInfo, message); }
  void Warning(std::string_view message) const { Write(LogLevel::kWarning, message); }
  void Error(std::string_view message) const { Write(LogLevel::kError, message); }

 private:
  void Write(LogLevel level, std::string_view message) const;

  const LogFormat format_;
};

}  // namespace bt::nodes
