#include "nodes/tracker/operator_log.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <cstdio>

#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

}  // namespace

std::string LogLine(LogFormat format, LogLevel level, int64_t unix_milliseconds, std::string_view message) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(unix_milliseconds), absl::UTCTimeZone());
  if (format == LogFormat::kText) return absl::StrCat(time, " ", LevelName(level), " ", Printable(message));
  return JsonText({{"time", time}, {"level", LevelName(level)}, {"message", message}});
}

void OperatorLog::Write(LogLevel level, std::string_view message) const {
  const std::string line = LogLine(format_, level, absl::ToUnixMillis(absl::Now()), message) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace bt::nodes
