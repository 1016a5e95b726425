// What a program that reads --json is told of a command that was refused.

#include "nodes/shared/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace bt::nodes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What `act`, in a process of its own, says and ends with.
struct Said {
  std::string out;
  std::string err;
  int status = 0;
};

Said InItsOwnProcess(const std::function<int()>& act) {
  int out[2], err[2];
  EXPECT_EQ(pipe(out) | pipe(err), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    close(out[1]);
    close(err[1]);
    const int status = act();
    fflush(stdout);
    _exit(status);
  }
  close(out[1]);
  close(err[1]);
  const auto all = [](int descriptor) {
    std::string text;
    char part[4096];
    for (ssize_t got = 0; (got = read(descriptor, part, sizeof part)) > 0;) {
      text.append(part, static_cast<size_t>(got));
    }
    close(descriptor);
    return text;
  };
  Said said{all(out[0]), all(err[0])};
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  said.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return said;
}

TEST(Refusals, AreALineOnStderrForPeople) {
  const Said said = InItsOwnProcess(
      [] { return Ended(Refuse("register", absl::NotFoundError("cannot read a"), ExitStatus::kFailed)); });
  EXPECT_EQ(said.err, "bytetorrent register: cannot read a\n");
  EXPECT_EQ(said.out, "");
  EXPECT_EQ(said.status, 1);
}

TEST(Refusals, AreOneObjectOnStdoutForPrograms) {
  const Said said = InItsOwnProcess([] {
    RefuseInJson("register");
    return Ended(Refuse("register", absl::AlreadyExistsError("a \"b\"\nc"), ExitStatus::kBoundToOther));
  });
  EXPECT_EQ(said.err, "");
  EXPECT_EQ(said.out,
            "{\"event\":\"failed\",\"command\":\"register\",\"error\":\"name_taken\",\"exit_status\":5,"
            "\"reason\":\"a \\\"b\\\"\\nc\"}\n");
  EXPECT_EQ(said.status, 5);
}

TEST(Refusals, OfOneCommandAreToldTogether) {
  const Said said = InItsOwnProcess([] {
    RefuseInJson("status");
    Refuse("status", absl::DataLossError("one"));
    return Ended(Refuse("status", absl::UnavailableError("another")));
  });
  EXPECT_THAT(said.out, HasSubstr("\"error\":\"inconsistent\""));
  EXPECT_THAT(said.out, HasSubstr("\"reason\":\"one; another\""));
}

TEST(Refusals, SayNothingOfWhatIsDone) {
  const Said said = InItsOwnProcess([] {
    RefuseInJson("list");
    return Ended(ExitStatus::kDone);
  });
  EXPECT_EQ(said.out + said.err, "");
  EXPECT_EQ(said.status, 0);
}

TEST(Refusals, AnEndWithoutASentenceHasOne) {
  const Said said = InItsOwnProcess([] {
    RefuseInJson("watch");
    return Ended(ExitStatus::kTerminated);
  });
  EXPECT_THAT(said.out, HasSubstr("\"error\":\"terminated\",\"exit_status\":143,\"reason\":\"interrupted"));
}

TEST(Refusals, ASignalThatNobodyWaitsForIsTold) {
  const Said said = InItsOwnProcess([] {
    RefuseInJson("cluster add");
    raise(SIGINT);
    return 0;
  });
  EXPECT_THAT(said.out,
              HasSubstr("\"command\":\"cluster add\",\"error\":\"interrupted\",\"exit_status\":130"));
  EXPECT_EQ(said.status, 130);
}

TEST(Refusals, ASignalThatTheParentHasIgnoredStaysIgnored) {
  const Said said = InItsOwnProcess([] {
    signal(SIGINT, SIG_IGN);
    RefuseInJson("cluster add");
    raise(SIGINT);
    return 0;
  });
  EXPECT_EQ(said.status, 0);
}

TEST(Refusals, HaveAWordForEachKindOfFailure) {
  const auto word = [](absl::StatusCode code) { return std::string(RefusalWord(ExitStatus::kFailed, code)); };
  using enum absl::StatusCode;
  EXPECT_THAT((std::vector<std::string>{word(kNotFound), word(kAlreadyExists), word(kPermissionDenied),
                                        word(kResourceExhausted), word(kUnavailable), word(kDeadlineExceeded),
                                        word(kDataLoss), word(kInvalidArgument), word(kFailedPrecondition),
                                        word(kInternal)}),
              ElementsAre("file_missing", "file_exists", "no_permission", "no_room", "unavailable",
                          "timed_out", "inconsistent", "refused", "refused", "failed"));
}

}  // namespace
}  // namespace bt::nodes
