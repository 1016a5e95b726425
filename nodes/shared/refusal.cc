#include "nodes/shared/refusal.h"

#include <absl/strings/str_cat.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr char kInterruptedSentence[] = "interrupted before it was done";

struct Told {
  std::optional<std::string> command;  // absent: people read
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string sentence;
  // Made beforehand, because a signal handler may not allocate.
  std::string interrupted_line;
  std::string terminated_line;
};

Told& Process() {
  static Told* const told = new Told;
  return *told;
}

std::string Line(const std::string& command, ExitStatus status, absl::StatusCode code,
                 const std::string& sentence) {
  const Json json = {{"event", "failed"},
                     {"command", command},
                     {"error", std::string(RefusalWord(status, code))},
                     {"exit_status", static_cast<int>(status)},
                     {"reason", sentence}};
  return JsonText(json) + "\n";
}

void OnSignal(int signal) {
  const std::string& line = signal == SIGTERM ? Process().terminated_line : Process().interrupted_line;
  const ssize_t written = ::write(STDOUT_FILENO, line.data(), line.size());
  static_cast<void>(written);  // nobody is left to be told
  ::_exit(static_cast<int>(StoppedBy(signal)));
}

std::string_view WordOfFailure(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return "file_missing";
    case absl::StatusCode::kAlreadyExists:
      return "file_exists";
    case absl::StatusCode::kPermissionDenied:
      return "no_permission";
    case absl::StatusCode::kResourceExhausted:
      return "no_room";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kDeadlineExceeded:
      return "timed_out";
    case absl::StatusCode::kDataLoss:
      return "inconsistent";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return "refused";
    default:
      return "failed";
  }
}

}  // namespace

std::string_view RefusalWord(ExitStatus status, absl::StatusCode code) {
  switch (status) {
    case ExitStatus::kDone:
    case ExitStatus::kFailed:
      return WordOfFailure(code);
    case ExitStatus::kWrongUsage:
      return "wrong_usage";
    case ExitStatus::kNotFound:
      return "not_found";
    case ExitStatus::kNobodyHasIt:
      return "nobody_has_it";
    case ExitStatus::kBoundToOther:
      return "name_taken";
    case ExitStatus::kNoTracker:
      return "no_tracker";
    case ExitStatus::kInterrupted:
      return "interrupted";
    case ExitStatus::kTerminated:
      return "terminated";
  }
  return "failed";
}

void RefuseInJson(std::string command) {
  Told& told = Process();
  told.interrupted_line =
      Line(command, ExitStatus::kInterrupted, absl::StatusCode::kCancelled, kInterruptedSentence);
  told.terminated_line =
      Line(command, ExitStatus::kTerminated, absl::StatusCode::kCancelled, kInterruptedSentence);
  told.command = std::move(command);
  for (const int number : {SIGINT, SIGTERM}) {
    // A shell starts what runs behind it with SIGINT ignored, and means it.
    if (::signal(number, OnSignal) == SIG_IGN) ::signal(number, SIG_IGN);
  }
}

bool RefusesInJson() { return Process().command.has_value(); }

void KeepRefusal(absl::StatusCode code, std::string_view sentence) {
  Told& told = Process();
  if (told.sentence.empty()) told.code = code;
  absl::StrAppend(&told.sentence, told.sentence.empty() ? "" : "; ", Absl(sentence));
}

int Ended(ExitStatus status) {
  Told& told = Process();
  if (told.command && status != ExitStatus::kDone) {
    const bool by_signal = status == ExitStatus::kInterrupted || status == ExitStatus::kTerminated;
    if (told.sentence.empty()) told.sentence = by_signal ? kInterruptedSentence : "it failed";
    std::fputs(Line(*told.command, status, told.code, told.sentence).c_str(), stdout);
    std::fflush(stdout);
  }
  return static_cast<int>(status);
}

}  // namespace bt::nodes
