#include "sim/trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/sim/toy.h"

namespace bt::sim {
namespace {

WorldOptions Into(std::vector<TraceRecord>& records) {
  WorldOptions options;
  options.recorder.on_trace = [&records](const TraceRecord& record) { records.push_back(record); };
  return options;
}

TEST(Trace, RecordsSayWhoWhenWithWhomAndWhat) {
  std::vector<TraceRecord> records;
  World world(1, Into(records));
  ToyPair pair(world);
  Add(pair.a(), 5);
  world.RunFor(Milliseconds(8));
  const auto sent = std::find_if(records.begin(), records.end(),
                                 [](const TraceRecord& record) { return record.kind == TraceKind::kSend; });
  ASSERT_NE(sent, records.end());
  EXPECT_EQ(sent->who, "a");
  EXPECT_EQ(sent->node, 0u);
  EXPECT_EQ(sent->peer, 1u);
  EXPECT_EQ(sent->text, "Stored{number=5}");
  EXPECT_EQ(RenderTrace(*sent).substr(14), "  a             -> 1  Stored{number=5}");
  const auto held = std::find_if(records.begin(), records.end(),
                                 [](const TraceRecord& record) { return record.kind == TraceKind::kHold; });
  ASSERT_NE(held, records.end());
  EXPECT_EQ(held->number, 1u);
  EXPECT_LT(held->at, sent->at);
}

TEST(Trace, AFaultIsARecordWithItsPlaceInPlainWords) {
  std::vector<TraceRecord> records;
  World world(1, Into(records));
  NetworkFaults faults;
  faults.drop_ppm = 1'000'000;
  ToyPair pair(world, {}, faults);
  Add(pair.a(), 5);
  world.RunFor(Milliseconds(8));
  const auto lost = std::find_if(records.begin(), records.end(),
                                 [](const TraceRecord& record) { return record.kind == TraceKind::kFault; });
  ASSERT_NE(lost, records.end());
  EXPECT_EQ(lost->number, static_cast<uint64_t>(Fault::kDrop));
  EXPECT_EQ(lost->text, "a message is lost, a to b");
}

TEST(Trace, TheJudgesSentenceIsTheLastRecord) {
  std::vector<TraceRecord> records;
  World world(1, Into(records));
  world.Fail("agreement: none");
  world.Fail("agreement: too late");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(RenderTrace(records[0]), "     0.000000s  judge       FAILED: agreement: none");
}

}  // namespace
}  // namespace bt::sim
