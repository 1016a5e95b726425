#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/slice.h"
#include "core/wal/format.h"
#include "core/wal/scan.h"

namespace bt::wal {
namespace {

const Identity kMine{0xc105, NodeId(7)};

// A journal as JournalFiles writes it: groups of records, each group durable before the next is written, a
// seal at the end of each segment but the last, and zeros up to the granule.
class Journal {
 public:
  explicit Journal(uint8_t granule_bits = 6) : granule_bits_(granule_bits) { Begin(); }

  // One group commit.
  Journal& Group(const std::vector<std::string>& bodies) {
    const WriteSeq durable = last_;
    std::string& segment = segments_.back();
    segment.resize(end_);
    group_start_ = end_;
    for (const std::string& body : bodies) {
      starts_.push_back(segment.size());
      ++last_;
      AppendRecord(segment, identity_, last_, durable, static_cast<uint8_t>(last_.value() % 5), body);
    }
    return Pad();
  }
  Journal& Roll() {
    std::string& sealed = segments_.back();
    sealed.resize(end_);
    AppendSeal(sealed, identity_, last_.next());
    sealed.resize(RoundUpToGranule(sealed.size(), granule_bits_));
    return Begin();
  }
  Journal& Unseal(size_t index, size_t left = 0) {
    std::string& segment = segments_[index];
    std::string seal;
    AppendSeal(seal, identity_, WriteSeq(seal_next_[index + 1]));
    const size_t at = segment.find(seal);
    EXPECT_NE(at, std::string::npos);
    segment.replace(at + left, seal.size() - left, seal.size() - left, '\0');
    return *this;
  }

  // What is rolled from here on says that no record below `needed` is needed.
  Journal& Need(WriteSeq needed) {
    needed_ = needed;
    return *this;
  }
  Journal& Remove(size_t index) {
    segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(index));
    return *this;
  }

  std::string& segment(size_t index) { return segments_[index]; }
  std::string& last_segment() { return segments_.back(); }
  // In the last segment: where the last group begins and ends.
  size_t group_start() const { return group_start_; }
  size_t end() const { return end_; }
  // The number of records that lie whole in the first `size` bytes of the last segment.
  size_t RecordsIn(size_t size) const {
    size_t whole = 0;
    for (size_t i = 0; i < starts_.size(); ++i) {
      const size_t end = i + 1 < starts_.size() ? starts_[i + 1] : end_;
      if (end <= size) ++whole;
    }
    return whole;
  }

  ScanResult Read(const Identity& identity = kMine) const {
    std::vector<Slice> slices;
    for (const std::string& segment : segments_) slices.push_back(Slice::Copy(segment));
    return Scan(slices, identity);
  }

 private:
  Journal& Begin() {
    segments_.push_back(EncodeSegmentHeader(identity_, last_.next(), needed_, granule_bits_));
    seal_next_.push_back(last_.next().value());
    starts_.clear();
    group_start_ = segments_.back().size();
    return Pad();
  }
  Journal& Pad() {
    end_ = segments_.back().size();
    segments_.back().resize(SegmentLength(end_, granule_bits_));
    return *this;
  }

  Identity identity_ = kMine;
  uint8_t granule_bits_;
  WriteSeq last_;
  WriteSeq needed_{1};
  std::vector<std::string> segments_;
  std::vector<uint64_t> seal_next_;  // the first sequence of each segment ever begun
  std::vector<size_t> starts_;       // of the records of the last segment
  size_t group_start_ = 0;
  size_t end_ = 0;
};

std::vector<std::string> Bodies(const ScanResult& result) {
  std::vector<std::string> bodies;
  for (const JournalRecord& record : result.records) bodies.emplace_back(record.body.view());
  return bodies;
}

using Texts = std::vector<std::string>;

TEST(Wal, NoSegmentsAreANewNodesCleanJournal) {
  const ScanResult result = Scan({}, kMine);
  EXPECT_EQ(result.verdict, Verdict::kClean);
  EXPECT_TRUE(result.records.empty());
  EXPECT_EQ(result.last, WriteSeq(0));
}

TEST(Wal, RecordsComeBackInOrderAcrossSegments) {
  Journal journal;
  journal.Group({"one", "", "three"}).Group({"four"}).Roll().Group({std::string(100'000, 'x')}).Roll();
  const ScanResult result = journal.Read();
  EXPECT_EQ(result.verdict, Verdict::kClean) << result.why;
  EXPECT_EQ(Bodies(result), (Texts{"one", "", "three", "four", std::string(100'000, 'x')}));
  EXPECT_EQ(result.last, WriteSeq(5));
  for (size_t i = 0; i < result.records.size(); ++i) {
    EXPECT_EQ(result.records[i].seq, WriteSeq(i + 1));
    EXPECT_EQ(result.records[i].type, (i + 1) % 5);
  }
}

TEST(Wal, AJournalWhoseFirstSegmentIsGoneIsCorruptNotEmpty) {
  std::string segment = EncodeSegmentHeader(kMine, WriteSeq(41), WriteSeq(40), kGranuleBitsDefault);
  AppendRecord(segment, kMine, WriteSeq(41), WriteSeq(40), 1, "kept");
  const std::vector<Slice> segments{Slice::Copy(segment)};
  const ScanResult result = Scan(segments, kMine);
  EXPECT_EQ(result.verdict, Verdict::kCorrupt);
  EXPECT_NE(result.why.find("the first segment is gone"), std::string::npos) << result.why;
}

// Four segments of two records each.
Journal Four() {
  Journal journal(7);
  journal.Group({"a", "b"}).Roll().Group({"c", "d"}).Roll().Group({"e", "f"});
  return journal;
}

TEST(Wal, AJournalMayBeginAnywhereUpToTheRecordThatIsNeeded) {
  Journal journal = Four();
  journal.Need(WriteSeq(4)).Roll().Group({"g"});
  EXPECT_EQ(Bodies(journal.Read()), (Texts{"c", "d", "e", "f", "g"})) << "a segment that is half needed";
  EXPECT_EQ(Bodies(journal.Remove(0).Read()), (Texts{"c", "d", "e", "f", "g"}));
  EXPECT_EQ(journal.Read().needed, WriteSeq(4));
  EXPECT_EQ(journal.Read().records.front().seq, WriteSeq(3));
  const ScanResult result = journal.Remove(0).Read();
  EXPECT_EQ(result.verdict, Verdict::kCorrupt);
  EXPECT_EQ(result.why,
            "the segment begins at record 5 where 4 was expected: the first segment is gone "
            "(segment 0, byte 0)");
}

TEST(Wal, WhatIsLeftOfSegmentsThatAreNotNeededIsPassedOver) {
  Journal journal = Four();
  journal.Need(WriteSeq(6)).Roll().Group({"g"});
  journal.Remove(1);  // a crash has undone the removal of the first one alone
  journal.segment(0).resize(3);
  const ScanResult result = journal.Read();
  EXPECT_EQ(result.verdict, Verdict::kClean) << result.why;
  EXPECT_EQ(Bodies(result), (Texts{"e", "f", "g"}));
}

TEST(Wal, AFirstSegmentWithoutAWholeHeaderIsCorruptAtEveryLength) {
  const std::string header = EncodeSegmentHeader(kMine, WriteSeq(1), WriteSeq(1), kGranuleBitsDefault);
  for (size_t size = 0; size < header.size(); ++size) {
    const std::vector<Slice> segments{Slice::Copy(header.substr(0, size))};
    EXPECT_EQ(Scan(segments, kMine).verdict, Verdict::kCorrupt) << size;
  }
}

TEST(Wal, AFileThatLostItsEndIsCorruptAlsoWhereTheCutIsAtARecordsEnd) {
  Journal whole(9);
  whole.Group({"first"}).Roll().Group({"second", "third"}).Group({"fourth"}).Group({"fifth"});
  for (const size_t segment : {0, 1}) {
    for (size_t size = 0; size < whole.segment(segment).size(); ++size) {
      Journal cut = whole;
      cut.segment(segment).resize(size);
      ASSERT_EQ(cut.Read().verdict, Verdict::kCorrupt) << "segment " << segment << " size " << size;
    }
  }
}

TEST(Wal, AWriteThatTheFileGrewForIsATearWhereverItStops) {
  Journal whole(6);
  whole.Group({"first"}).Roll().Group({"second"}).Group({"third", std::string(300, 'x')});
  const std::string bytes = whole.last_segment();
  for (size_t size = RoundUpToGranule(whole.group_start(), 6); size < bytes.size(); ++size) {
    Journal cut = whole;
    cut.last_segment().resize(size);
    const ScanResult result = cut.Read();
    SCOPED_TRACE(size);
    ASSERT_EQ(result.records.size(), 1 + whole.RecordsIn(size)) << result.why;
    ASSERT_EQ(result.verdict, size >= whole.end() ? Verdict::kClean : Verdict::kTorn) << result.why;
    // Filled with zeros from there, it is clean and holds the same.
    Journal mended = cut;
    mended.last_segment().resize(result.offset);
    mended.last_segment().resize(std::max(RoundUpToGranule(size, 6), SegmentLength(result.offset, 6)));
    ASSERT_EQ(mended.Read().verdict, Verdict::kClean);
    ASSERT_EQ(mended.Read().records, result.records);
  }
}

TEST(Wal, EveryBitFlipIsRefusedUnlessItIsInTheLastGroupAndThenATear) {
  Journal whole;
  whole.Group({"first"}).Roll().Group({"second", "third"}).Group({"fourth", "fifth"});
  const Texts all = Bodies(whole.Read());
  for (size_t segment = 0; segment < 2; ++segment) {
    const std::string bytes = whole.segment(segment);
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Journal flipped = whole;
      flipped.segment(segment)[bit / 8] ^= static_cast<char>(1 << bit % 8);
      const ScanResult result = flipped.Read();
      SCOPED_TRACE(testing::Message() << "segment " << segment << " bit " << bit);
      const bool in_last_group = segment == 1 && bit / 8 >= whole.group_start();
      ASSERT_EQ(result.verdict, in_last_group ? Verdict::kTorn : Verdict::kCorrupt) << result.why;
      const Texts got = Bodies(result);
      const bool behind_all = segment == 1 && bit / 8 >= whole.end();
      ASSERT_EQ(got.size() == all.size(), behind_all);
      ASSERT_TRUE(std::equal(got.begin(), got.end(), all.begin())) << "a wrong record was returned";
    }
  }
}

TEST(Wal, AnUnsyncedGroupThatReachedTheDiskOutOfOrderIsATearNotCorruption) {
  Journal journal;
  journal.Group({"acknowledged"}).Group({"lost", "kept by luck", "kept by luck too"});
  journal.last_segment()[journal.group_start() + kRecordHeaderBytes] = '?';
  const ScanResult result = journal.Read();
  EXPECT_EQ(result.verdict, Verdict::kTorn) << result.why;
  EXPECT_EQ(result.offset, journal.group_start());
  EXPECT_EQ(Bodies(result), Texts{"acknowledged"});
}

TEST(Wal, DamageIsProvedAcrossADamagedLengthByALaterRecordsWord) {
  Journal journal;
  journal.Group({"first"}).Group({"second"}).Group({"third"});
  journal.last_segment()[kSegmentHeaderBytes + 2] = '\x7f';  // the first record claims to be long
  const ScanResult result = journal.Read();
  EXPECT_EQ(result.verdict, Verdict::kCorrupt) << result.why;
  EXPECT_EQ(result.offset, kSegmentHeaderBytes);
}

TEST(Wal, DamageBeforeALaterSegmentIsCorruptionEvenWhereItLooksTorn) {
  Journal journal;
  journal.Group({"first", "second"}).Roll().Group({"third"});
  journal.segment(0)[journal.segment(0).size() - 1] = 'x';
  EXPECT_EQ(journal.Read().verdict, Verdict::kCorrupt);
}

TEST(Wal, AJournalWhoseLastSegmentIsGoneIsCorrupt) {
  Journal journal = Four();
  const ScanResult result = journal.Remove(2).Read();
  EXPECT_EQ(result.verdict, Verdict::kCorrupt);
  EXPECT_EQ(result.segment, 1u);
  EXPECT_EQ(result.last, WriteSeq(4)) << "what precedes the damage is there to look at";
  EXPECT_NE(
      result.why.find("the segment is sealed, and the one behind it, which began with record 5, is gone"),
      std::string::npos)
      << result.why;
  EXPECT_EQ(journal.Remove(1).Read().verdict, Verdict::kCorrupt) << "and so is one that has lost two";
}

TEST(Wal, ABlankLastSegmentMayStandBehindASegmentWhoseSealIsTornOrMissing) {
  for (size_t left = 0; left < kSealBytes; ++left) {
    Journal journal = Four();
    const size_t seal = journal.end();
    journal.Roll().Unseal(2, left);
    const ScanResult result = journal.Read();
    SCOPED_TRACE(left);
    ASSERT_EQ(result.verdict, Verdict::kClean) << result.why;
    ASSERT_EQ(result.last, WriteSeq(6));
    ASSERT_EQ(result.seal, seal) << "the seal must be written anew";
  }
  Journal sealed = Four();
  const size_t seal = sealed.end();
  EXPECT_EQ(sealed.Roll().Read().seal, seal) << "it may be in memory alone";
  EXPECT_EQ(sealed.Group({"g"}).Read().seal, std::nullopt) << "a record is written behind a durable seal";
}

TEST(Wal, AMissingSealBeforeASegmentThatHoldsAnythingIsCorruption) {
  for (size_t left = 0; left < kSealBytes; ++left) {
    ASSERT_EQ(Four().Unseal(1, left).Read().verdict, Verdict::kCorrupt) << left;
    ASSERT_EQ(Four().Unseal(0, left).Read().verdict, Verdict::kCorrupt) << left;
  }
  Journal torn = Four();
  torn.Roll().Group({"g"}).Unseal(2);
  torn.last_segment()[torn.group_start() + 30] ^= 1;
  EXPECT_EQ(torn.Read().verdict, Verdict::kCorrupt) << "also where that is torn";
}

TEST(Wal, ARecordLostAtTheEndOfASegmentIsNoMissingSeal) {
  Journal journal = Four();
  const size_t last_group = journal.group_start();
  journal.Roll();
  std::fill(journal.segment(2).begin() + static_cast<std::ptrdiff_t>(last_group), journal.segment(2).end(),
            '\0');
  EXPECT_EQ(journal.Read().verdict, Verdict::kCorrupt);
}

TEST(Wal, SegmentsThatStandInEachOthersPlaceAreCorruption) {
  for (size_t one = 0; one < 3; ++one) {
    for (size_t other = one + 1; other < 3; ++other) {
      Journal journal = Four();
      std::swap(journal.segment(one), journal.segment(other));
      ASSERT_EQ(journal.Read().verdict, Verdict::kCorrupt) << one << " and " << other;
      Journal forgetful = Four();
      forgetful.Need(WriteSeq(5)).Roll().Group({"g"});
      std::swap(forgetful.segment(one + 1), forgetful.segment(other + 1));
      ASSERT_EQ(forgetful.Read().verdict, Verdict::kCorrupt) << one + 1 << " and " << other + 1;
    }
  }
}

TEST(Wal, AFileThatIsNamedForAnotherSegmentIsCorruption) {
  std::string blank = EncodeSegmentHeader(kMine, WriteSeq(1), WriteSeq(1), 6);
  blank.resize(SegmentLength(blank.size(), 6));
  const std::vector<Slice> segments{Slice::Own(std::move(blank))};
  EXPECT_EQ(Scan(segments, kMine, std::vector{WriteSeq(1)}).verdict, Verdict::kClean);
  EXPECT_EQ(Scan(segments, kMine, std::vector{WriteSeq(2)}).why,
            "the file is named for record 2 and begins with 1: it is another segment's (segment 0, byte 0)");
}

TEST(Wal, ASegmentThatIsAnOlderVersionOfItselfIsCorruptUnlessItIsTheLast) {
  Journal journal(7);
  journal.Group({"a"});
  const std::string older = journal.segment(0);
  journal.Group({"b"}).Roll().Group({"c"});
  journal.segment(0) = older;
  EXPECT_EQ(journal.Read().verdict, Verdict::kCorrupt);
}

TEST(Wal, AMissingMiddleIsCorruption) {
  Journal journal;
  journal.Group({"first"}).Group({"second"});
  const size_t second = journal.group_start();
  journal.Roll().Group({"third"});
  std::string& bytes = journal.segment(0);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(second), bytes.end(), '\0');
  EXPECT_EQ(journal.Read().verdict, Verdict::kCorrupt);
}

TEST(Wal, ARecordInAnothersPlaceIsCorruption) {
  Journal journal;
  journal.Group({"aaaa"}).Group({"bbbb"});
  std::string& bytes = journal.last_segment();
  bytes.resize(journal.end());
  bytes.append(bytes.substr(bytes.size() - kRecordHeaderBytes - 4));  // the last record once more
  const ScanResult result = journal.Read();
  EXPECT_EQ(result.verdict, Verdict::kCorrupt) << result.why;
  EXPECT_EQ(result.records.size(), 2u);
}

TEST(Wal, ZerosBehindTheLastRecordAreTheEndHoweverManyTheyAre) {
  Journal journal;
  journal.Group({"first"});
  journal.last_segment().append(4096, '\0');
  const ScanResult result = journal.Read();
  EXPECT_EQ(result.verdict, Verdict::kClean) << result.why;
  EXPECT_EQ(result.offset, journal.end());
}

TEST(Wal, AnotherFormatVersionIsForeignAndSaysSo) {
  // Version 1 had 32 bits for its number and no granule, and no needed sequence before its checksum.
  std::string header = EncodeSegmentHeader(kMine, WriteSeq(1), WriteSeq(1), 6);
  header[8] = 1;
  header[10] = 0;
  const uint64_t checksum = HashBytes(std::string_view(header).substr(0, 32));
  for (int i = 0; i < 8; ++i) header[32 + i] = static_cast<char>(checksum >> 8 * i);
  const std::vector<Slice> segments{Slice::Copy(header)};
  const ScanResult result = Scan(segments, kMine);
  EXPECT_EQ(result.verdict, Verdict::kForeign);
  EXPECT_NE(result.why.find("format version 1"), std::string::npos) << result.why;
}

TEST(Wal, AnotherNodesOrClustersJournalIsForeign) {
  Journal journal;
  journal.Group({"theirs"});
  EXPECT_EQ(journal.Read({kMine.cluster, NodeId(8)}).verdict, Verdict::kForeign);
  const ScanResult other_cluster = journal.Read({kMine.cluster + 1, kMine.node});
  EXPECT_EQ(other_cluster.verdict, Verdict::kForeign);
  EXPECT_NE(other_cluster.why.find("cluster c105"), std::string::npos) << other_cluster.why;
}

TEST(Wal, ARecordCopiedFromAnotherNodesJournalDoesNotPass) {
  Journal mine;
  mine.Group({"mine"});
  mine.last_segment().resize(mine.end());
  AppendRecord(mine.last_segment(), {kMine.cluster, NodeId(8)}, WriteSeq(2), WriteSeq(1), 1,
               std::string(100, 't'));
  const ScanResult result = mine.Read();
  EXPECT_EQ(result.verdict, Verdict::kTorn);
  EXPECT_EQ(Bodies(result), Texts{"mine"});
}

TEST(Wal, SegmentNamesSortAsTheirSequencesAndParseBack) {
  EXPECT_LT(SegmentFileName(WriteSeq(99)), SegmentFileName(WriteSeq(100)));
  for (const uint64_t first : {uint64_t{1}, uint64_t{12345}, UINT64_MAX}) {
    EXPECT_EQ(ParseSegmentFileName(SegmentFileName(WriteSeq(first))), WriteSeq(first));
  }
  for (const char* name :
       {"", "journal-1.wal", "journal-00000000000000000000.wal", "journal-99999999999999999999.wal",
        "journal-0000000000000000000x.wal", "journal-00000000000000000001.wal~"}) {
    EXPECT_EQ(ParseSegmentFileName(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace bt::wal
