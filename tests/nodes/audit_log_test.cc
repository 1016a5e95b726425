#include "nodes/tracker/audit_log.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/torrent/metainfo.h"

namespace bt::nodes {
namespace {

const Address kAsker = Address::V4(10, 0, 0, 5, 43210);

struct Heard {
  Instant now = Instant() + Seconds(100);
  std::vector<std::string> lines;
  AuditLog log{[this](const std::string& line) { lines.push_back(line); }, [this] { return now; }};
};

TEST(AuditLog, SaysWhoDidWhatAndWhatCameOfIt) {
  Heard heard;
  const tracker_api::Offer offer{{},
                                 std::string("music.mp3"),
                                 Address::V4(10, 0, 0, 5, 6881),
                                 {{PieceIndex(0), 12}, {PieceIndex(20), 3}}};
  heard.log.Written("alice", kAsker, WriteText(offer), AuditLog::OutcomeOf(200));
  heard.log.Written("", kAsker, WriteText(tracker_api::Withdraw{{}, std::string("x"), offer.peer, {}}),
                    AuditLog::kGone);
  heard.log.Ordered("/members/remove?id=3\n", AuditLog::OutcomeOf(409));
  const std::vector<std::string> expected = {
      "audit: token alice at 10.0.0.5:43210: 200 OK: offer as 10.0.0.5:6881 15 pieces of music.mp3",
      "audit: anybody at 10.0.0.5:43210: asked, and gone before the answer: withdraw as 10.0.0.5:6881 the "
      "claim of x",
      "audit: administrator: 409 Conflict: /members/remove?id=3?"};
  EXPECT_EQ(heard.lines, expected);
}

TEST(AuditLog, ANameOfStrangersCannotLookLikeAnOutcome) {
  MetainfoBuilder builder("a: 201 Created: register\nb", 16384, 16384);
  builder.Update(std::string(16384, 'm'));
  const Metainfo metainfo = builder.Finish();
  Heard heard;
  heard.log.Written("eve", kAsker, WriteText(tracker_api::Register{{}, metainfo}), AuditLog::OutcomeOf(409));
  ASSERT_EQ(heard.lines.size(), 1u);
  EXPECT_TRUE(heard.lines[0].starts_with("audit: token eve at 10.0.0.5:43210: 409 Conflict: register "))
      << heard.lines[0];
  EXPECT_TRUE(heard.lines[0].ends_with(" as a: 201 Created: register?b")) << heard.lines[0];
}

TEST(AuditLog, WhatChangesNothingIsNotToldOf) {
  EXPECT_EQ(WriteText(tracker_api::List{}), "");
  EXPECT_EQ(WriteText(tracker_api::Announce{}), "");
}

TEST(AuditLog, AFloodOfRefusalsIsCounted) {
  Heard heard;
  const auto refuse = [&] { heard.log.Refused("", kAsker, "offer", AuditLog::OutcomeOf(401)); };
  for (int i = 0; i < 1000; ++i) refuse();
  EXPECT_EQ(heard.lines.size(), AuditLog::kRefusalsPerSecond);
  heard.now = heard.now + Seconds(1);
  refuse();
  ASSERT_EQ(heard.lines.size(), AuditLog::kRefusalsPerSecond + 1);
  EXPECT_EQ(heard.lines.back(),
            "audit: anybody at 10.0.0.5:43210: 401 Unauthorized: offer (and 990 refusals before it that are "
            "not told)");
  refuse();
  EXPECT_EQ(heard.lines.back(), "audit: anybody at 10.0.0.5:43210: 401 Unauthorized: offer");
}

}  // namespace
}  // namespace bt::nodes
