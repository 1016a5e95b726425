#include "net/buffer_pool.h"

#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace bt::net {

// Shared with every buffer under way, so that slices may outlive the pool.
struct BufferPool::Shared {
  std::mutex mutex;
  std::vector<std::unique_ptr<char[]>> free;  // guarded by mutex
};

BufferPool::BufferPool() : shared_(std::make_shared<Shared>()) { Renew(); }

Slice BufferPool::Take(size_t size) {
  CHECK(size <= room_bytes());
  if (size <= kCopyBytesMax) return Slice::Copy(std::string_view(room(), size));
  Slice slice = Slice::Wrap(current_, room(), size);
  used_ += size;
  if (room_bytes() < kRoomBytesMin) Renew();
  return slice;
}

size_t BufferPool::free_buffers() const {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  return shared_->free.size();
}

void BufferPool::Renew() {
  std::unique_ptr<char[]> buffer;
  {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    if (!shared_->free.empty()) {
      buffer = std::move(shared_->free.back());
      shared_->free.pop_back();
    }
  }
  if (buffer == nullptr) buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  current_ = std::shared_ptr<char[]>(buffer.release(), [shared = shared_](char* returned) {
    std::unique_ptr<char[]> owned(returned);
    const std::lock_guard<std::mutex> lock(shared->mutex);
    if (shared->free.size() < kFreeBuffersMax) shared->free.push_back(std::move(owned));
  });
  used_ = 0;
}

}  // namespace bt::net
