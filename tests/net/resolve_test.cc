#include "net/resolve.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "net/replica_links.h"
#include "net/socket.h"
#include "tests/net/support.h"

namespace bt::net {
namespace {

TEST(ResolveTest, NamesAreResolvedAndNonsenseIsRefusedWithAReason) {
  EXPECT_EQ(*Resolve("127.0.0.1:80"), Address::V4(127, 0, 0, 1, 80));
  EXPECT_EQ(*Resolve("localhost:81"), Address::V4(127, 0, 0, 1, 81));
  for (const char* text :
       {"", "localhost", "localhost:", ":80", "localhost:99999", "a:b:80", "a b:80", "a:-1"}) {
    EXPECT_EQ(Resolve(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ResolveTest, TheAddressesThatMeanEveryAddressAreKnownInEachSpelling) {
  for (const char* text : {"0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1"}) {
    EXPECT_TRUE(HostAndPort::Parse(text)->IsAnywhere()) << text;
  }
  for (const char* text : {"127.0.0.1:1", "[::1]:1", "everywhere:1"}) {
    EXPECT_FALSE(HostAndPort::Parse(text)->IsAnywhere()) << text;
  }
}

TEST(LookupTest, TheLoopGoesOnWhileTheNameServiceIsSilentAndADestroyedLookupTellsNothing) {
  Loop loop;
  std::promise<void> answer;
  const auto silent = [heard = answer.get_future().share()](const HostAndPort&) {
    heard.wait();
    return std::vector{Address::V4(10, 0, 0, 1, 7)};
  };
  std::vector<Address> found;
  bool told_after_the_end = false;
  Lookup waits(loop, {"a", 7}, silent, [&](auto result) { found = *result; });
  auto ends =
      std::make_unique<Lookup>(loop, HostAndPort{"a", 7}, silent, [&](auto) { told_after_the_end = true; });
  loop.RunOnce(Duration{0});
  EXPECT_TRUE(found.empty());
  ends.reset();
  answer.set_value();
  ASSERT_TRUE(RunUntil(loop, [&] { return !found.empty(); }));
  EXPECT_EQ(found, std::vector{Address::V4(10, 0, 0, 1, 7)});
  EXPECT_FALSE(told_after_the_end);
}

// What names mean, changed by a test while lookups read it.
class NameService {
 public:
  void Set(const std::string& host, std::vector<Address> addresses) {
    const std::lock_guard<std::mutex> lock(table_->mutex);
    table_->names[host] = std::move(addresses);
  }
  Lookup::Resolver resolver() {
    return [table = table_](const HostAndPort& name) -> absl::StatusOr<std::vector<Address>> {
      const std::lock_guard<std::mutex> lock(table->mutex);
      const auto found = table->names.find(name.host);
      if (found == table->names.end()) return absl::NotFoundError("nobody knows '" + name.host + "'");
      return found->second;
    };
  }

 private:
  struct Table {
    std::mutex mutex;
    std::map<std::string, std::vector<Address>> names;
  };
  std::shared_ptr<Table> table_ = std::make_shared<Table>();  // a lookup's thread may outlive a test
};

// Node 1, which knows node 2 by the name "second" alone, and node 2, which has never heard of an address
// of 1.
class ReplicaNamesTest : public testing::Test {
 protected:
  ReplicaNamesTest() {
    ReplicaLinksOptions options{.identity = {.cluster = 9, .secret = {7}, .self = NodeId(1)}};
    options.peers[NodeId(2)] = {"second", 1};
    options.resolve = names_.resolver();
    options.note = [this](std::string line) { notes_.push_back(std::move(line)); };
    first_.emplace(loop_, options, 1);
    first_->Connect([](NodeId, Slice) { return true; });
  }

  // Node 2 at an address of its own.
  Address StartSecond() {
    ReplicaLinksOptions options{.identity = {.cluster = 9, .secret = {7}, .self = NodeId(2)}};
    options.peers[NodeId(1)] = {"first", 1};
    options.resolve = names_.resolver();
    second_.emplace(loop_, options, 2);
    return *second_->Listen(Address::V4(127, 0, 0, 1, 0));
  }
  bool Connected() {
    return RunUntil(loop_, [&] { return first_->connected(NodeId(2)); });
  }

  NameService names_;
  std::vector<std::string> notes_;
  Loop loop_;
  std::optional<ReplicaLinks> second_;
  std::optional<ReplicaLinks> first_;
};

TEST_F(ReplicaNamesTest, ANameThatIsUnknownAtFirstIsFoundLaterAndSaidOnce) {
  ASSERT_TRUE(RunUntil(loop_, [&] { return first_->counters().unresolved >= 3; }));
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find("does not find node 2 at second:1: nobody knows 'second'"), std::string::npos)
      << notes_[0];
  names_.Set("second", {StartSecond()});
  EXPECT_TRUE(Connected());
}

TEST_F(ReplicaNamesTest, EveryAddressOfANameIsTriedWithinOneAttempt) {
  const ReservedPort silent;
  const Address closed = silent.address();
  const Address open = StartSecond();
  const uint64_t before = first_->counters().connects;
  names_.Set("second", {closed, closed, open});
  ASSERT_TRUE(Connected());
  EXPECT_EQ(first_->counters().connects - before, 3u);
}

TEST_F(ReplicaNamesTest, APeerThatMovedIsFoundWhereItsNameLeadsNow) {
  names_.Set("second", {StartSecond()});
  ASSERT_TRUE(Connected());
  second_.reset();
  ASSERT_TRUE(RunUntil(loop_, [&] { return !first_->connected(NodeId(2)); }));
  names_.Set("second", {StartSecond()});
  EXPECT_TRUE(Connected());
}

}  // namespace
}  // namespace bt::net
