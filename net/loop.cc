#include "net/loop.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/check.h"

namespace bt::net {
namespace {

constexpr int kEventsPerWait = 256;
// Deferred work may defer more; past this it waits for the next iteration, so that sockets are served.
constexpr int kDeferredRounds = 16;

}  // namespace

Watcher::Watcher(Loop& loop, int fd, uint32_t events, Ready ready)
    : loop_(loop), fd_(fd), events_(events), ready_(std::make_shared<Ready>(std::move(ready))) {
  number_ = loop_.watchers_.Take();
  loop_.watchers_[number_] = this;
  epoll_event event{.events = events, .data = {.u64 = loop_.watchers_.KeyOf(number_)}};
  CHECK_MSG(epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0, std::strerror(errno));
}

Watcher::~Watcher() {
  epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  loop_.watchers_.GiveBack(number_);
}

void Watcher::SetEvents(uint32_t events) {
  if (events == events_) return;
  events_ = events;
  epoll_event event{.events = events, .data = {.u64 = loop_.watchers_.KeyOf(number_)}};
  CHECK_MSG(epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_MOD, fd_, &event) == 0, std::strerror(errno));
}

Timer::Timer(Loop& loop, std::function<void()> due)
    : loop_(loop), due_(std::make_shared<std::function<void()>>(std::move(due))) {}

Timer::~Timer() { Disarm(); }

void Timer::Arm(Instant deadline) {
  // Armed by a timer's callback for what is over: in the next iteration, after everything else that is due.
  // One that is due in this iteration already stays so: otherwise a callback that runs in each iteration, and
  // ahead of it, could put it off for ever. The timer whose callback runs is not armed any more.
  if (loop_.timers_run_ && deadline <= loop_.now_) {
    if (deadline_ <= loop_.now_) return;
    deadline = loop_.now_ + Nanoseconds(1);
  }
  if (deadline == deadline_) return;
  if (armed()) loop_.timers_.erase({deadline_, this});
  deadline_ = deadline;
  if (armed()) loop_.timers_.insert({deadline_, this});
}

Deferred::Deferred(Loop& loop, std::function<void()> run)
    : loop_(loop), run_(std::make_shared<std::function<void()>>(std::move(run))) {}

Deferred::~Deferred() {
  if (!scheduled_) return;
  for (Deferred*& entry : loop_.deferred_) {
    if (entry == this) entry = nullptr;
  }
}

void Deferred::Schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  loop_.deferred_.push_back(this);
}

Later::Later(Loop& loop) : run_(loop, [this] { Run(); }) {}

void Later::Tell(std::function<void()> function) {
  functions_.push_back(std::move(function));
  run_.Schedule();
}

std::function<void()> Later::UnlessGone(std::function<void()> function) const {
  return [here = here_, function = std::move(function)] {
    if (*here) function();
  };
}

void Later::Run() {
  const std::shared_ptr<bool> here = here_;
  const std::vector<std::function<void()>> functions = std::exchange(functions_, {});
  for (const auto& function : functions) {
    if (!*here) return;
    function();
  }
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK_MSG(epoll_.valid() && wake_.valid(), std::strerror(errno));
  signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL
  now_ = ReadClock();
  wake_watcher_ = std::make_unique<Watcher>(*this, wake_.get(), EPOLLIN, [this](uint32_t) {
    uint64_t count = 0;
    (void)!read(wake_.get(), &count, sizeof count);
    RunPosted();
  });
}

Loop::~Loop() {
  signal_watcher_.reset();
  wake_watcher_.reset();
}

void Loop::Run() {
  while (!stopped_.load(std::memory_order_acquire)) RunOnce(Seconds(3600));
}

void Loop::Stop() {
  stopped_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
}

Instant Loop::ReadClock() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

void Loop::Post(std::function<void()> function) {
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake = posted_.empty();
    posted_.push_back(std::move(function));
  }
  if (!wake) return;
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
}

void Loop::RunOnce(Duration patience) {
  RunDeferred();  // what was scheduled outside of an iteration
  if (!deferred_.empty() || stopped_.load(std::memory_order_acquire)) patience = Duration{0};
  Wait(patience);
  RunTimers();
  RunDeferred();
}

void Loop::Wait(Duration patience) {
  if (!timers_.empty()) {
    const Duration until_timer = timers_.begin()->first - ReadClock();
    if (until_timer < patience) patience = until_timer;
  }
  if (patience < Duration{0}) patience = Duration{0};
  std::array<epoll_event, kEventsPerWait> events;
  const timespec timeout{.tv_sec = patience.seconds(), .tv_nsec = patience.ns % 1'000'000'000};
  int count = epoll_pwait2(epoll_.get(), events.data(), kEventsPerWait, &timeout, nullptr);
  if (count < 0 && errno == ENOSYS) {  // kernels before 5.11: milliseconds, rounded up
    const int milliseconds = static_cast<int>((patience + Nanoseconds(999'999)).millis());
    count = epoll_wait(epoll_.get(), events.data(), kEventsPerWait, milliseconds);
  }
  CHECK_MSG(count >= 0 || errno == EINTR, std::strerror(errno));
  now_ = ReadClock();
  for (int i = 0; i < count; ++i) {
    const uint64_t key = events[i].data.u64;
    if (!watchers_.Holds(key)) continue;
    const std::shared_ptr<Watcher::Ready> ready = watchers_[watchers_.NumberOf(key)]->ready_;
    (*ready)(events[i].events);
  }
}

void Loop::RunPosted() {
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted.swap(posted_);
  }
  for (const auto& function : posted) function();
}

void Loop::RunTimers() {
  timers_run_ = true;
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->deadline_ = Instant::Never();
    const auto due = timer->due_;
    (*due)();
  }
  timers_run_ = false;
}

void Loop::RunDeferred() {
  for (int round = 0; round < kDeferredRounds && !deferred_.empty(); ++round) {
    // By index: a function may destroy later ones (nulled in place) or schedule more (appended).
    const size_t end = deferred_.size();
    for (size_t i = 0; i < end; ++i) {
      if (deferred_[i] == nullptr) continue;
      Deferred* deferred = std::exchange(deferred_[i], nullptr);
      deferred->scheduled_ = false;
      const auto run = deferred->run_;
      (*run)();
    }
    deferred_.erase(deferred_.begin(), deferred_.begin() + static_cast<std::ptrdiff_t>(end));
  }
}

void Loop::OnSignals(std::initializer_list<int> signals, std::function<void(int)> function) {
  CHECK(!signal_fd_.valid());
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) sigaddset(&set, number);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal_fd_ = Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  CHECK_MSG(signal_fd_.valid(), std::strerror(errno));
  signal_watcher_ = std::make_unique<Watcher>(*this, signal_fd_.get(), EPOLLIN, [this, function](uint32_t) {
    signalfd_siginfo info;
    while (read(signal_fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      function(static_cast<int>(info.ssi_signo));
    }
  });
}

void BlockAllSignalsInThisThread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace bt::net
