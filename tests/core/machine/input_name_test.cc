#include "core/machine/input_name.h"

#include <gtest/gtest.h>

#include <set>

namespace bt {
namespace {

struct Shout {
  uint64_t number = 0;
  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};
struct Ask {};  // no Fields: it does not travel
struct Opened {
  FileId file;
  static constexpr void Fields(auto& self, auto&& visit) { visit("file", self.file); }
};
struct TestProtocol {
  using FileEffect = std::variant<std::monostate>;
  using FileDone = std::variant<Opened>;
  using Message = std::variant<Shout>;
  enum class Timer { kTick, kTock, kCount };
  using Request = std::variant<Ask>;
  using Response = std::string;
  using Note = std::string;
};
using TestInput = Input<TestProtocol>;

TEST(InputName, TextShowsEachMemberAndWhatHasNoFieldsByItsName) {
  EXPECT_EQ(InputText(TestInput(WriteDone{WriteSeq(7)})), "WriteDone{seq=7}");
  EXPECT_EQ(InputText(TestInput(Received<TestProtocol>{NodeId(2), Shout{5}})),
            "Received{from=2 message=Shout{number=5}}");
  EXPECT_EQ(InputText(TestInput(Call<TestProtocol>{CallId(3), Ask{}})), "Call{id=3 request=Ask}");
  EXPECT_EQ(InputText(TestInput(ReadFailed{FileId(0), 1, 2, absl::NotFoundError("gone")})),
            "ReadFailed{file=0 offset=1 length=2 status=NOT_FOUND: gone}");
}

TEST(InputName, ALinkSaysWhoOpenedItAndItsNumberAlone) {
  EXPECT_EQ(InputText(TestInput(LinkSent{LinkId(9), 9})), "LinkSent{link=out 9 total=9}");
  EXPECT_EQ(InputText(TestInput(LinkSent{LinkId(kInboundLink | 48), 7})), "LinkSent{link=in 48 total=7}");
}

TEST(InputName, InputsThatDifferHaveDifferentDigestsAndEqualOnesEqual) {
  const std::vector<TestInput> inputs = {
      Started{},
      Started{{JournalRecord{WriteSeq(1)}}},
      Received<TestProtocol>{NodeId(1), Shout{}},
      Received<TestProtocol>{NodeId(2), Shout{}},
      TimerFired<TestProtocol>{TestProtocol::Timer::kTick},
      TimerFired<TestProtocol>{TestProtocol::Timer::kTock},
      WriteDone{WriteSeq(1)},
      Call<TestProtocol>{CallId(1), Ask{}},
      CallCancelled{CallId(1)},
      LinkUp{LinkId(1), Address::V4(127, 0, 0, 1, 80)},
      LinkUp{LinkId(1), Address::V4(127, 0, 0, 1, 81)},
      LinkReceived{LinkId(1), Slice::Static("a")},
      LinkReceived{LinkId(1), Slice::Static("b")},
      LinkSent{LinkId(1), 1},
      LinkDown{LinkId(1), "reset"},
      LinkDown{LinkId(1), "closed"},
      FileCompleted<TestProtocol>{Opened{FileId(0)}},
      FileCompleted<TestProtocol>{Opened{FileId(1)}},
      ReadFailed{FileId(0), 0, 1, absl::NotFoundError("")},
      ReadFailed{FileId(0), 0, 1, absl::DataLossError("")},
      PeerClosed{NodeId(1)},
      PeerClosed{NodeId(2)},
  };
  std::set<uint64_t> digests;
  for (const TestInput& input : inputs) {
    digests.insert(InputDigest(input));
    EXPECT_EQ(InputDigest(input), InputDigest(TestInput(input)));
  }
  EXPECT_EQ(digests.size(), inputs.size());
}

}  // namespace
}  // namespace bt
