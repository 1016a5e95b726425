#include "nodes/tracker/operator_log.h"

#include <gtest/gtest.h>

namespace bt::nodes {
namespace {

constexpr int64_t kTime = 1'795'659'015'007;

TEST(OperatorLog, ALineOfTextHasTimeLevelAndMessageAndStaysOneLine) {
  EXPECT_EQ(LogLine(LogFormat::kText, LogLevel::kInfo, kTime, "node 1 leads"),
            "2026-11-26T02:10:15.007Z info node 1 leads");
  EXPECT_EQ(LogLine(LogFormat::kText, LogLevel::kWarning, 0, "a\nb"), "1970-01-01T00:00:00.000Z warning a?b");
}

TEST(OperatorLog, ALineOfJsonIsOneObjectWhateverTheMessage) {
  EXPECT_EQ(LogLine(LogFormat::kJson, LogLevel::kError, kTime, "a \"b\"\n"),
            R"({"time":"2026-11-26T02:10:15.007Z","level":"error","message":"a \"b\"\n"})");
}

}  // namespace
}  // namespace bt::nodes
