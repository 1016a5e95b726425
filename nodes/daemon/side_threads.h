#pragma once

// SideThreads: what a loop must not wait for (disks, name services) is done on threads beside it, in the
// order in which it was asked for, and told on the loop. How much waits is bounded by who asks.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace bt::nodes {

class SideThreads {
 public:
  SideThreads(net::Loop& loop, int threads);
  // Waits for the jobs under way; what waits behind them is dropped.
  ~SideThreads();
  SideThreads(const SideThreads&) = delete;
  SideThreads& operator=(const SideThreads&) = delete;

  // `done` is told the job's result on the loop's thread, unless `owner` is gone by then. Loop thread only.
  template <class Job, class Done>
  void Run(Job job, const net::Later& owner, Done done) {
    auto result = std::make_shared<std::optional<decltype(job())>>();
    std::function<void()> tell =
        owner.UnlessGone([result, done = std::move(done)]() mutable { done(std::move(**result)); });
    Queue([this, result, job = std::move(job), tell = std::move(tell)]() mutable {
      result->emplace(job());
      loop_.Post(std::move(tell));
    });
  }
  // Jobs that are under way or wait.
  size_t busy() const;

 private:
  void Queue(std::function<void()> work);
  void Work();

  net::Loop& loop_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<std::function<void()>> queue_;
  size_t under_way_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bt::nodes
