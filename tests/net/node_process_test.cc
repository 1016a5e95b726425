#include "net/node_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/net/support.h"

namespace bt::net {
namespace {

// Adds numbers up, across its lives, and answers with the sum when it is durable. To 0 it never answers.
class Adder final {
 public:
  struct Protocol {
    struct Nothing {
      static constexpr void Fields(auto&, auto&&) {}
    };
    using Message = std::variant<Nothing>;
    enum class Timer : uint8_t { kNone, kCount };
    using Request = uint64_t;
    using Response = uint64_t;
    using Note = std::string;
    using FileEffect = NoFiles;
    using FileDone = NoFiles;
  };

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* started = std::get_if<Started>(&input)) {
      for (const JournalRecord& record : started->records) sum_ += Decode<uint64_t>(record.body).value();
    } else if (const auto* call = std::get_if<bt::Call<Protocol>>(&input);
               call != nullptr && call->request > 0) {
      context.out.Write(1, Slice::Own(Encode(call->request)));
      sum_ += call->request;
      waiting_.push_back(call->id);
    } else if (std::holds_alternative<WriteDone>(input)) {
      for (const CallId id : std::exchange(waiting_, {})) context.out.Reply(id, sum_);
    }
  }
  void CheckInvariants() const {}
  uint64_t Digest() const { return sum_; }

 private:
  uint64_t sum_ = 0;
  std::vector<CallId> waiting_;
};

class NodeProcessTest : public testing::Test {
 protected:
  NodeFlags Flags(const std::string& program = "adder") const {
    return {.program = program,
            .self = NodeId(1),
            .nodes = {{NodeId(1), HostAndPort::Of(port_.address())}},
            .data_dir = directory_ / "data"};
  }
  // Runs one life in which `act` happens; its exit status.
  static int Live(NodeProcess<Adder>& process, std::function<void()> act) {
    Timer soon(process.loop(), std::move(act));
    soon.Arm(Loop::ReadClock());
    return process.Run();
  }

  ReservedPort port_;
  TemporaryDirectory directory_;
};

TEST_F(NodeProcessTest, AnswersACallAndGoesOnInItsNextLifeWithWhatWasDurable) {
  for (const uint64_t expected : {5u, 10u}) {
    NodeProcess<Adder> process(Flags(), std::make_unique<Adder>());
    std::optional<uint64_t> sum;
    EXPECT_EQ(Live(process,
                   [&] {
                     EXPECT_TRUE(process.Call(5, [&](uint64_t answer) {
                       sum = answer;
                       process.Stop();
                     }));
                   }),
              0);
    EXPECT_EQ(sum, expected);
  }
}

TEST_F(NodeProcessTest, TakesNoMoreCallsThanItHasRoomFor) {
  NodeProcess<Adder> process(Flags(), std::make_unique<Adder>());
  size_t taken = 0;
  Live(process, [&] {
    while (process.Call(0, [](uint64_t) {})) ++taken;
    process.Stop();
  });
  EXPECT_EQ(taken, NodeProcess<Adder>::kCallsMax);
}

TEST_F(NodeProcessTest, EndsInOrderAtASignal) {
  NodeProcess<Adder> process(Flags(), std::make_unique<Adder>());
  EXPECT_EQ(Live(process, [] { kill(getpid(), SIGTERM); }), 0);
}

TEST_F(NodeProcessTest, ADiskThatFailsEndsItWithASentenceAndStatus1) {
  NodeProcess<Adder> process(Flags(), std::make_unique<Adder>());
  testing::internal::CaptureStderr();
  EXPECT_EQ(Live(process, [&] { process.OnFatal(absl::DataLossError("the disk is gone")); }), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "adder: node 1 stops: the disk is gone\n");
}

TEST_F(NodeProcessTest, RefusesADataDirectoryOfAnotherProtocolOrSecret) {
  {
    NodeProcess<Adder> process(Flags(), std::make_unique<Adder>());
    EXPECT_EQ(Live(process, [&] { process.Stop(); }), 0);
  }
  NodeFlags another_secret = Flags();
  another_secret.secret.fill(7);
  for (const NodeFlags& flags : {Flags("multiplier"), another_secret}) {
    NodeProcess<Adder> process(flags, std::make_unique<Adder>());
    testing::internal::CaptureStderr();
    EXPECT_EQ(process.Run(), 1);
    EXPECT_NE(testing::internal::GetCapturedStderr().find(flags.program + ": node 1 stops: "),
              std::string::npos);
  }
}

}  // namespace
}  // namespace bt::net
