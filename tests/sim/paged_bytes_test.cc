#include "sim/paged_bytes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bt::sim {
namespace {

constexpr uint64_t kPage = PagedBytes::kPageBytes;

TEST(PagedBytes, AreWhatAStringWouldBeWhateverIsDoneToThemAndTheirCopies) {
  std::mt19937_64 random(7);
  const auto below = [&](uint64_t bound) { return random() % bound; };
  std::vector<PagedBytes> paged(3);
  std::vector<std::string> plain(3);
  for (int step = 0; step < 20'000; ++step) {
    const size_t which = below(3);
    switch (below(8)) {
      case 0: {
        const uint64_t size = below(2) == 0 ? below(5) * kPage : below(4 * kPage);
        paged[which].Resize(size);
        plain[which].resize(size);
        break;
      }
      case 1: {
        const size_t from = below(3);
        paged[which] = paged[from];
        plain[which] = plain[from];
        break;
      }
      default: {
        const uint64_t offset = below(2) == 0 ? below(4) * kPage : below(4 * kPage);
        const uint64_t length = below(3) == 0 ? kPage : below(3) == 0 ? below(3 * kPage) : below(100);
        const std::string bytes(length, static_cast<char>(random()));
        paged[which].Write(offset, Slice::Copy(bytes));
        if (plain[which].size() < offset + length) plain[which].resize(offset + length);
        plain[which].replace(offset, length, bytes);
        break;
      }
    }
    const std::string& held = plain[which];
    ASSERT_EQ(paged[which].size(), held.size());
    const uint64_t from = below(held.size() + 1);
    const uint64_t length = below(held.size() - from + 1);
    ASSERT_EQ(paged[which].Read(from, length).view(), std::string_view(held).substr(from, length));
    const Slice part = Slice::Copy(std::string_view(held).substr(from, length));
    ASSERT_TRUE(paged[which].Holds(from, part));
    ASSERT_FALSE(paged[which].Holds(held.size() - length + 1, part));
    if (length > 0) {
      std::string other(part.view());
      other[below(length)] ^= 1;
      ASSERT_FALSE(paged[which].Holds(from, Slice::Own(std::move(other))));
    }
    if (step % 100 == 0) {
      ASSERT_EQ(paged[which].All().view(), held);
    }
  }
}

TEST(PagedBytes, GiveOutBytesThatStayAsTheyWere) {
  PagedBytes bytes;
  bytes.Write(0, Slice::Copy("one"));
  bytes.Write(1, Slice::Copy("NE"));  // in a page of its own from here on
  const Slice read = bytes.All();
  bytes.Write(0, Slice::Copy("two"));
  bytes.Write(1, Slice::Copy("W"));
  EXPECT_EQ(read.view(), "oNE");
  EXPECT_EQ(bytes.All().view(), "tWo");
}

TEST(PagedBytes, KeepAWholePageWithoutCopyingIt) {
  const Slice page = Slice::Copy(std::string(kPage, 'p'));
  PagedBytes bytes;
  bytes.Write(kPage, page);
  const PagedBytes copy = bytes;
  EXPECT_EQ(bytes.Read(kPage, kPage).data(), page.data());
  EXPECT_EQ(copy.Read(kPage + 5, 7).data(), page.data() + 5);
  bytes.Write(kPage + 5, Slice::Copy("x"));
  EXPECT_EQ(copy.Read(kPage + 5, 1).view(), "p");
  EXPECT_EQ(page.view(), std::string(kPage, 'p'));
}

}  // namespace
}  // namespace bt::sim
