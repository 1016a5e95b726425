#include "sim/apart.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/fields.h"

namespace bt::sim {
namespace {

constexpr size_t kLengthBytes = sizeof(uint64_t);

void WriteAll(int out, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(out, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(1);  // the owner is gone
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

// A report's bytes, behind their length.
void Tell(int out, const Report& report) {
  const std::string bytes = Encode(report);
  std::string framed(kLengthBytes, '\0');
  StoreLittle(framed.data(), bytes.size(), kLengthBytes);
  WriteAll(out, framed + bytes);
}

// The process's standard error is a file in memory: a CHECK leaves its words there. "CHECK failed: EXPRESSION
// at FILE:LINE" becomes "CHECK in FILE: EXPRESSION, line LINE": the judge of the run is the file.
std::string LastWords() {
  std::array<char, 4096> buffer{};
  const ssize_t size = pread(STDERR_FILENO, buffer.data(), buffer.size(), 0);
  std::string words(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0);
  constexpr std::string_view kFailed = "CHECK failed: ";
  const size_t failed = words.find(kFailed);
  if (failed == std::string::npos) return "died: " + words.substr(0, words.find('\n'));
  words = words.substr(failed + kFailed.size());
  words = words.substr(0, words.find('\n'));
  const size_t at = words.rfind(" at ");
  const size_t colon = words.rfind(':');
  if (at == std::string::npos || colon == std::string::npos || colon < at) return "died: CHECK " + words;
  return absl::StrCat("CHECK in ", words.substr(at + 4, colon - at - 4), ": ", words.substr(0, at), ", line ",
                      words.substr(colon + 1));
}

[[noreturn]] void Live(const std::function<void(const Apart::ReportTo&)>& work, int out,
                       uint32_t seconds_max) {
  // A run of one's own scenario may print; nobody reads that here.
  const int words = memfd_create("last words", 0);
  if (words < 0 || dup2(words, STDERR_FILENO) < 0) _exit(1);
  signal(SIGINT, SIG_DFL);
  if (seconds_max > 0) alarm(seconds_max);
  OnDeathInARun([out](Report report) {
    report.failure = LastWords();
    Tell(out, report);
    _exit(0);
  });
  work([out](const Report& report) { Tell(out, report); });
  _exit(0);
}

}  // namespace

Apart::Apart(const std::function<void(const ReportTo&)>& work, uint32_t seconds_max) {
  std::array<int, 2> ends{};
  CHECK_MSG(pipe(ends.data()) == 0, std::strerror(errno));
  std::fflush(nullptr);  // what is buffered is this process's to write
  pid_ = fork();
  CHECK_MSG(pid_ >= 0, std::strerror(errno));
  if (pid_ == 0) {
    close(ends[0]);
    Live(work, ends[1], seconds_max);
  }
  close(ends[1]);
  in_ = ends[0];
}

Apart::~Apart() {
  close(in_);
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Apart::Read() {
  std::array<char, 65536> buffer{};
  const ssize_t size = read(in_, buffer.data(), buffer.size());
  if (size < 0 && errno == EINTR) return true;
  if (size <= 0) return false;
  bytes_.append(buffer.data(), static_cast<size_t>(size));
  return true;
}

std::optional<Report> Apart::Next() {
  if (bytes_.size() < kLengthBytes) return std::nullopt;
  const uint64_t size = LoadLittle(bytes_.data(), kLengthBytes);
  if (bytes_.size() - kLengthBytes < size) return std::nullopt;
  absl::StatusOr<Report> report = Decode<Report>(Slice::Own(bytes_.substr(kLengthBytes, size)));
  bytes_.erase(0, kLengthBytes + size);
  CHECK_MSG(report.ok(), std::string(report.status().message()));
  return std::move(*report);
}

std::optional<std::string> Apart::Death() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  if (WIFSIGNALED(status)) return absl::StrCat("died: signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return absl::StrCat("died: exit status ", WEXITSTATUS(status));
  return std::nullopt;
}

Report RunApart(const Scenario& scenario, uint64_t seed, const WorldOptions& options, uint32_t seconds_max) {
  Apart process([&](const Apart::ReportTo& report) { report(RunOnce(scenario, seed, options)); },
                seconds_max);
  while (process.Read()) {
  }
  std::optional<Report> report = process.Next();
  const std::optional<std::string> death = process.Death();
  if (report.has_value()) return std::move(*report);
  Report dead;
  dead.seed = seed;
  dead.failure = death.value_or("died: without a word");
  return dead;
}

}  // namespace bt::sim
