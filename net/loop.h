#pragma once

// Loop: one thread, one epoll. It watches file descriptors (level-triggered), keeps timers, runs what other
// threads post, and sleeps in the kernel until exactly the next thing to do. Everything but Post() and
// Stop() is for the loop's own thread. Callbacks may destroy any Watcher, Timer, Deferred or Later, their own
// too.
//
// One iteration: posted functions and ready descriptors, due timers, then what was deferred to the end of
// the iteration (flushing queues: one system call for everything the iteration produced).

#include <absl/container/btree_set.h>
#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/base/slot_map.h"
#include "core/base/time.h"
#include "net/fd.h"

namespace bt::net {

class Loop;

// Calls `ready(events)` whenever `fd` is ready for one of `events` (EPOLLIN, EPOLLOUT; errors and hang-ups
// are always told). Destroy it before closing the descriptor.
class Watcher {
 public:
  using Ready = std::function<void(uint32_t events)>;
  Watcher(Loop& loop, int fd, uint32_t events, Ready ready);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // 0 waits for errors and hang-ups alone.
  void SetEvents(uint32_t events);
  uint32_t events() const { return events_; }

 private:
  friend class Loop;
  Loop& loop_;
  int fd_;
  uint32_t events_;
  uint32_t number_;
  std::shared_ptr<Ready> ready_;
};

// Calls `due()` once when the deadline has come; Arm again from the callback for a period. Armed there for
// what is over, it is called in the next iteration.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> due);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Moves the deadline of an armed timer; Instant::Never() disarms.
  void Arm(Instant deadline);
  void Disarm() { Arm(Instant::Never()); }
  bool armed() const { return deadline_ != Instant::Never(); }
  Instant deadline() const { return deadline_; }

 private:
  friend class Loop;
  Loop& loop_;
  Instant deadline_ = Instant::Never();
  std::shared_ptr<std::function<void()>> due_;
};

// Calls `run()` once at the end of the iteration in which Schedule() was called, however often it was.
class Deferred {
 public:
  Deferred(Loop& loop, std::function<void()> run);
  ~Deferred();
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  void Schedule();
  bool scheduled() const { return scheduled_; }

 private:
  friend class Loop;
  Loop& loop_;
  bool scheduled_ = false;
  std::shared_ptr<std::function<void()>> run_;
};

// "Tell me after this step, unless I am gone": for what is found out while its receiver is in the middle of
// a step. The owner of the functions' targets keeps the Later as a member.
class Later {
 public:
  explicit Later(Loop& loop);
  ~Later() { *here_ = false; }
  Later(const Later&) = delete;
  Later& operator=(const Later&) = delete;

  // Runs `function` at the end of this iteration, in order of the calls, unless this Later is gone by then.
  void Tell(std::function<void()> function);
  // `function`, made to do nothing once this Later is gone: for Loop::Post by another thread.
  std::function<void()> UnlessGone(std::function<void()> function) const;

 private:
  void Run();

  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  // read and written on the loop's thread alone
  std::vector<std::function<void()>> functions_;
  Deferred run_;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Until Stop().
  void Run();
  // One iteration that sleeps at most `patience`.
  void RunOnce(Duration patience);
  // From any thread; Run() returns after the iteration under way.
  void Stop();

  // The monotonic clock as read when this iteration woke up.
  Instant now() const { return now_; }
  // The same clock, read now; from any thread.
  static Instant ReadClock();

  // From any thread: runs `function` on the loop's thread, in order of posting.
  void Post(std::function<void()> function);

  // Routes these signals of the process to `function`, on the loop's thread. To be called before other
  // threads are started (they inherit the mask); worker threads of net/ block all signals anyway.
  void OnSignals(std::initializer_list<int> signals, std::function<void(int)> function);

 private:
  friend class Watcher;
  friend class Timer;
  friend class Deferred;

  void Wait(Duration patience);
  void RunPosted();
  void RunTimers();
  void RunDeferred();

  Fd epoll_;
  Fd wake_;
  Instant now_;
  std::atomic<bool> stopped_{false};

  // An event carries its watcher's key, so that one for a watcher destroyed meanwhile is dropped.
  SlotMap<Watcher*> watchers_;                          // one for each `Watcher`
  absl::btree_set<std::pair<Instant, Timer*>> timers_;  // at most one for each `Timer`
  bool timers_run_ = false;
  std::vector<Deferred*> deferred_;  // at most one for each `Deferred`

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_

  Fd signal_fd_;
  std::unique_ptr<Watcher> wake_watcher_;
  std::unique_ptr<Watcher> signal_watcher_;
};

// For worker threads: signals are the loop's business.
void BlockAllSignalsInThisThread();

}  // namespace bt::net
