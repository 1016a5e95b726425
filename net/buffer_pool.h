#pragma once

// BufferPool: recycled receive buffers. Bytes are received into the current buffer and handed on as Slices
// of it; a buffer returns to the pool when its last Slice is gone, on whatever thread that happens.
// Read() is for one thread.

#include <cstddef>
#include <memory>

#include "core/base/slice.h"

namespace bt::net {

class BufferPool {
 public:
  static constexpr size_t kBufferBytes = 256 * 1024;
  // A read is offered at least this much contiguous room.
  static constexpr size_t kRoomBytesMin = 64 * 1024;
  // Reads this small get bytes of their own, lest a short message that is kept pins a whole buffer.
  static constexpr size_t kCopyBytesMax = 1024;
  // Free buffers kept for reuse; more go back to the system.
  static constexpr size_t kFreeBuffersMax = 32;

  BufferPool();

  // Room to receive into: valid until Take.
  char* room() const { return current_.get() + used_; }
  size_t room_bytes() const { return kBufferBytes - used_; }
  // The first `size` bytes of the room, as a slice; the next room begins behind them.
  Slice Take(size_t size);

  size_t free_buffers() const;

 private:
  struct Shared;
  void Renew();

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<char[]> current_;
  size_t used_ = 0;
};

}  // namespace bt::net
