#include "nodes/daemon/completion_hook.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "net/socket.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// The process, or errno as a negative number. Signals are the daemon's matter, and so is its terminal: a
// Ctrl-C meant for the daemon does not reach the program.
pid_t Spawn(const std::string& program, const std::string& id, const std::string& name,
            const std::string& path) {
  const std::array<char*, 5> arguments = {const_cast<char*>(program.c_str()), const_cast<char*>(id.c_str()),
                                          const_cast<char*>(name.c_str()), const_cast<char*>(path.c_str()),
                                          nullptr};
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  // What it prints goes where the daemon's words go; the daemon's stdout may be read by a program.
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return error == 0 ? pid : -error;
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by signal ", WTERMSIG(status));
  return absl::StrCat("ended with status ", WEXITSTATUS(status));
}

}  // namespace

CompletionHook::CompletionHook(net::Loop& loop, std::string program)
    : loop_(loop), program_(std::move(program)) {}

void CompletionHook::Run(uint64_t id, std::string name, std::string path) {
  if (program_.empty()) return;
  if (waiting_.size() >= kWaitingMax) return Say(id, "is not run: too many wait for it");
  waiting_.push_back({id, std::move(name), std::move(path)});
  StartWaiting();
}

void CompletionHook::StartWaiting() {
  while (running_.size() < kRunningMax && !waiting_.empty()) {
    const Completed next = std::move(waiting_.front());
    waiting_.pop_front();
    Start(next);
  }
}

void CompletionHook::Start(const Completed& completed) {
  const pid_t pid = Spawn(program_, absl::StrCat(completed.id), completed.name, completed.path);
  if (pid < 0) return Say(completed.id, absl::StrCat("cannot be run: ", net::ErrnoText(-pid)));
  // By number: this libc's header gives the function C++ linkage, which the library does not have.
  net::Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.valid()) return Say(completed.id, absl::StrCat("runs unwatched: ", net::ErrnoText(errno)));
  const uint64_t number = next_++;
  auto watcher =
      std::make_unique<net::Watcher>(loop_, fd.get(), EPOLLIN, [this, number](uint32_t) { OnEnded(number); });
  running_.emplace(number, Child{completed.id, pid, std::move(fd), std::move(watcher)});
}

void CompletionHook::OnEnded(uint64_t number) {
  const auto found = running_.find(number);
  int status = 0;
  if (found == running_.end() || ::waitpid(found->second.pid, &status, WNOHANG) == 0) return;
  Say(found->second.id, HowItEnded(status));
  running_.erase(found);
  StartWaiting();
}

void CompletionHook::Say(uint64_t id, const std::string& what) const {
  std::fprintf(stderr, "bytetorrent daemon: transfer %llu: %s %s\n", static_cast<unsigned long long>(id),
               Printable(program_).c_str(), what.c_str());
}

}  // namespace bt::nodes
