#include "nodes/daemon/side_threads.h"

namespace bt::nodes {

SideThreads::SideThreads(net::Loop& loop, int threads) : loop_(loop) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

SideThreads::~SideThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

size_t SideThreads::busy() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + under_way_;
}

void SideThreads::Queue(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void SideThreads::Work() {
  net::BlockAllSignalsInThisThread();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    ++under_way_;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --under_way_;
  }
}

}  // namespace bt::nodes
