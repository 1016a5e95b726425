#include "nodes/tracker/operator_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "nodes/tracker/alarm_log.h"

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

TEST(AlarmLog, AnAlarmIsToldWhenItBeginsOnceAMinuteAndWhenItIsOver) {
  AlarmLog log;
  const std::vector<tracker_api::Alarm> full = {{"claims", "all 5 claims are taken"}};
  const std::vector<std::string> told = {"alarm: all 5 claims are taken"};
  const Instant begin{};
  EXPECT_TRUE(log.Lines({}, begin).empty());
  EXPECT_EQ(log.Lines(full, begin), told);
  EXPECT_TRUE(log.Lines(full, begin + Seconds(59)).empty());
  EXPECT_EQ(log.Lines(full, begin + Seconds(60)), told);
  EXPECT_TRUE(log.Lines(full, begin + Seconds(61)).empty());
  EXPECT_EQ(log.Lines({}, begin + Seconds(62)), std::vector<std::string>{"over: the alarm about claims"});
  EXPECT_TRUE(log.Lines({}, begin + Seconds(63)).empty());
}

}  // namespace
}  // namespace bt::nodes
