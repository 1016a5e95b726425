#include "core/torrent/bencode.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "tests/support/generators.h"

namespace bt::bencode {
namespace {

std::string ErrorOf(std::string_view bytes) {
  const auto document = Document::Parse(bytes);
  return document.ok() ? "accepted" : std::string(document.status().message());
}

TEST(Bencode, ReadsEveryKindOfValue) {
  const std::string bytes = "d1:ai-5e1:bl0:3:xyzi0ee1:cdee";
  const auto document = Document::Parse(bytes);
  ASSERT_TRUE(document.ok()) << document.status();
  const Value root = document->root();

  EXPECT_EQ(root.raw(), bytes);
  EXPECT_EQ(root.Find("a")->integer(), -5);
  EXPECT_EQ(root.Find("b")->raw(), "l0:3:xyzi0ee");
  EXPECT_EQ(root.Find("b")->first()->text(), "");
  EXPECT_EQ(root.Find("b")->first()->next()->text(), "xyz");
  EXPECT_EQ(root.Find("b")->first()->next()->next()->integer(), 0);
  EXPECT_FALSE(root.Find("b")->first()->next()->next()->next());
  EXPECT_TRUE(root.Find("c")->is_dictionary());
  EXPECT_FALSE(root.Find("c")->first());
  EXPECT_FALSE(root.Find("d"));
  EXPECT_FALSE(root.Find("a")->text());
  EXPECT_FALSE(root.Find("b")->integer());
}

TEST(Bencode, FindsNoKeyAmongTheValues) {
  const std::string bytes = "d1:a1:b1:c1:de";
  const auto document = Document::Parse(bytes);
  EXPECT_FALSE(document->root().Find("b"));
  EXPECT_EQ(document->root().Find("c")->text(), "d");
}

TEST(Bencode, ReadsTheSmallestAndTheLargestInteger) {
  EXPECT_EQ(Document::Parse("i9223372036854775807e")->root().integer(), INT64_MAX);
  EXPECT_EQ(Document::Parse("i-9223372036854775808e")->root().integer(), INT64_MIN);
}

TEST(Bencode, RefusesWhatIsNotCanonicalAndSaysWhatAndWhere) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "ends in the middle of a value at byte 0"},
      {"i", "ends in the middle of a number"},
      {"i-", "ends in the middle of a number"},
      {"ie", "malformed number at byte 1"},
      {"i-e", "malformed number"},
      {"i+1e", "malformed number"},
      {"i1.5e", "malformed number"},
      {"i 1e", "malformed number"},
      {"i01e", "leading zero"},
      {"i-01e", "leading zero"},
      {"i-0e", "minus zero"},
      {"i9223372036854775808e", "too large"},
      {"i-9223372036854775809e", "too large"},
      {"i99999999999999999999999999e", "too large"},
      {"03:abc", "leading zero"},
      {"4:abc", "longer than the rest"},
      {"4294967295:abc", "longer than the rest"},
      {"4294967296:abc", "too large"},
      {"-1:a", "unexpected byte"},
      {"x", "unexpected byte at byte 0"},
      {"e", "unexpected end marker"},
      {"l", "ends in the middle of a value"},
      {"d1:a", "ends in the middle of a value"},
      {"d1:ae", "key without a value"},
      {"di1ei2ee", "key is not a string"},
      {"dlei2ee", "key is not a string"},
      {"d1:bi1e1:ai2ee", "keys out of order"},
      {"d1:ai1e1:ai2ee", "key given twice"},
      // Raw bytes, not characters that may be signed: 0x7f before 0x80.
      {std::string("d1:\x80i1e1:\x7fi2ee"), "keys out of order"},
      {"i1ei2e", "bytes left over after the value at byte 3"},
      {"le ", "bytes left over"},
  };
  for (const auto& [bytes, reason] : cases) {
    EXPECT_NE(ErrorOf(bytes).find(reason), std::string::npos) << bytes << ": " << ErrorOf(bytes);
  }
}

TEST(Bencode, RefusesDeepNestingWithoutRecursing) {
  const auto nested = [](size_t depth) { return std::string(depth, 'l') + std::string(depth, 'e'); };
  EXPECT_EQ(ErrorOf(nested(kDepthLimit)), "accepted");
  EXPECT_NE(ErrorOf(nested(kDepthLimit + 1)).find("nested too deeply"), std::string::npos);
  EXPECT_NE(ErrorOf(nested(4'000'000)).find("nested too deeply"), std::string::npos);
}

TEST(Bencode, RefusesMoreValuesThanItsLimit) {
  const auto list = [](size_t count) {
    std::string bytes = "l";
    for (size_t i = 0; i < count; ++i) bytes += "0:";
    return bytes + "e";
  };
  EXPECT_EQ(ErrorOf(list(kValueLimit - 1)), "accepted");
  EXPECT_NE(ErrorOf(list(kValueLimit)).find("too many values"), std::string::npos);
}

TEST(BencodeDeathTest, TheWriterStopsAtKeysOutOfOrder) {
  std::string out;
  EXPECT_DEATH(Writer(out).BeginDictionary().Key("b").Integer(1).Key("a"), "keys out of order");
  EXPECT_DEATH(Writer(out).BeginDictionary().Key("b").Integer(1).Key("b"), "keys out of order");
}

// A random value of at most `depth` levels.
void WriteAny(Writer& writer, uint32_t depth) {
  const int kind = *rc::gen::inRange(0, depth == 0 ? 2 : 4);
  if (kind == 0) {
    writer.Integer(*rc::gen::arbitrary<int64_t>());
  } else if (kind == 1) {
    writer.Text(*test::AnyBytes(30));
  } else if (kind == 2) {
    writer.BeginList();
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) WriteAny(writer, depth - 1);
    writer.End();
  } else {
    std::set<std::string> keys;
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) keys.insert(*test::AnyBytes(5));
    writer.BeginDictionary();
    for (const std::string& key : keys) {
      writer.Key(key);
      WriteAny(writer, depth - 1);
    }
    writer.End();
  }
}

// Writes a value read back: the same bytes if reading was right.
void Rewrite(const Value& value, Writer& writer) {
  switch (value.kind()) {
    case Kind::kInteger:
      writer.Integer(*value.integer());
      return;
    case Kind::kText:
      writer.Text(*value.text());
      return;
    case Kind::kList:
      writer.BeginList();
      for (auto item = value.first(); item; item = item->next()) Rewrite(*item, writer);
      writer.End();
      return;
    case Kind::kDictionary:
      writer.BeginDictionary();
      for (auto key = value.first(); key; key = key->next()->next()) {
        writer.Key(*key->text());
        Rewrite(*key->next(), writer);
      }
      writer.End();
  }
}

std::string Rewritten(const Document& document) {
  std::string out;
  Writer writer(out);
  Rewrite(document.root(), writer);
  return out;
}

TEST(Bencode, ReadsBackWhateverTheWriterWrites) {
  EXPECT_TRUE(rc::check("read(write(x)) == x", [] {
    std::string bytes;
    Writer writer(bytes);
    WriteAny(writer, 4);
    const auto document = Document::Parse(bytes);
    RC_ASSERT(document.ok());
    RC_ASSERT(Rewritten(*document) == bytes);
  }));
}

TEST(Bencode, EitherRefusesDamagedBytesOrReadsExactlyThem) {
  EXPECT_TRUE(rc::check("read(damage(write(x))) is refused or exact", [] {
    std::string bytes;
    Writer writer(bytes);
    WriteAny(writer, 4);
    const size_t at = *rc::gen::inRange<size_t>(0, bytes.size());
    RC_ASSERT(!Document::Parse(bytes.substr(0, at)).ok());
    bytes[at] = *rc::gen::element('0', '1', '9', 'd', 'l', 'i', 'e', ':', '-', static_cast<char>(0xff));
    const auto document = Document::Parse(bytes);
    if (document.ok()) RC_ASSERT(Rewritten(*document) == bytes);
  }));
}

TEST(Bencode, EitherRefusesGarbageOrReadsExactlyIt) {
  EXPECT_TRUE(rc::check("garbage", [] {
    const auto bytes =
        *rc::gen::container<std::string>(rc::gen::element('0', '1', '2', 'd', 'l', 'i', 'e', ':', '-', 'a'));
    const auto document = Document::Parse(bytes);
    if (document.ok()) RC_ASSERT(Rewritten(*document) == bytes);
  }));
}

}  // namespace
}  // namespace bt::bencode
