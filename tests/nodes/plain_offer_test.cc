#include "nodes/http_api/plain_offer.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/rng.h"

namespace bt::nodes {
namespace {

bool Same(const OfferBody& one, const OfferBody& other) {
  return one.peer == other.peer && one.pieces == other.pieces && one.id == other.id;
}

OfferBody AnOffer(Rng& rng) {
  OfferBody body;
  body.peer = Address::V4(10, 0, 0, static_cast<uint8_t>(rng.Below(256)), 6881);
  if (rng.Below(3) == 0) body.peer = *Address::Parse("[2001:db8::7]:51413");
  for (uint64_t ranges = rng.Below(4); ranges > 0; --ranges) {
    body.pieces.push_back({PieceIndex(static_cast<uint32_t>(rng.Below(200))), uint32_t(rng.Below(1000))});
  }
  if (rng.Below(2) == 0) body.id = {SessionId(rng.Next()), rng.Below(1000)};
  return body;
}

// The same body as JSON of another shape, which the one pass leaves to the library.
absl::StatusOr<OfferBody> AsJson(const std::string& text) {
  const std::string other = " " + text;
  EXPECT_FALSE(ReadPlainOffer(other).has_value());
  return ParseOfferBody(other);
}

TEST(PlainOffer, WhatIsWrittenIsReadInOnePass) {
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    const OfferBody body = AnOffer(rng);
    const std::string text = WriteOfferBody(body);
    const std::optional<OfferBody> read = ReadPlainOffer(text);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_TRUE(Same(*read, body)) << text;
    EXPECT_TRUE(Same(*read, AsJson(text).value())) << text;
  }
}

TEST(PlainOffer, WhatIsReadInOnePassTheLibraryReadsAlike) {
  constexpr std::string_view kLetters = "0123456789-+.eE\"\\{}[],: \npeaks";
  Rng rng(2);
  int read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = WriteOfferBody(AnOffer(rng));
    for (uint64_t changes = rng.Between(1, 2); changes > 0; --changes) {
      const size_t at = rng.Below(text.size());
      const char letter = kLetters[rng.Below(kLetters.size())];
      switch (rng.Below(3)) {
        case 0:
          text[at] = letter;
          break;
        case 1:
          text.insert(at, 1, letter);
          break;
        case 2:
          text.erase(at, 1);
          break;
      }
    }
    const std::optional<OfferBody> plain = ReadPlainOffer(text);
    if (!plain) continue;
    ++read;
    const absl::StatusOr<OfferBody> body = AsJson(text);
    ASSERT_TRUE(body.ok()) << text << body.status();
    EXPECT_TRUE(Same(*plain, *body)) << text;
  }
  EXPECT_GT(read, 1000);
}

TEST(PlainOffer, LeavesToTheLibraryWhatIsWrong) {
  for (const char* text :
       {"", "{}", "{\"peer\":\"10.0.0.1:1\"", "{\"peer\":\"10.0.0.1:1\"}x", "{\"peer\":\"name:1\"}",
        "{\"peer\":\"10.0.0.1:1\",\"pieces\":[[01,1]]}", "{\"peer\":\"10.0.0.1:1\",\"pieces\":[[1,1],]}",
        "{\"peer\":\"10.0.0.1:1\",\"pieces\":[[4294967296,1]]}", "{\"peer\":\"10.0.0.1:1\",\"session\":7}",
        "{\"peer\":\"10.0.0.1:1\",\"session\":18446744073709551616,\"sequence\":1}"}) {
    EXPECT_FALSE(ReadPlainOffer(text).has_value()) << text;
  }
  const auto too_large = ParseOfferBody("{\"peer\":\"10.0.0.1:1\",\"pieces\":[[4294967296,1]]}");
  EXPECT_EQ(too_large.status().message(), "\"pieces\" is too large");
}

}  // namespace
}  // namespace bt::nodes
