#pragma once

// OutQueue: bytes on their way out of one connection, in order: copied pieces, shared slices and ranges of
// files. Short pieces are copied behind each other, so that what an iteration produced leaves in few parts.
// It has no limit of its own: its connection asks bytes() and items() after each push.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/slice.h"
#include "net/fd.h"
#include "net/transport.h"

namespace bt::net {

struct FileRange {
  std::shared_ptr<const ReadableFile> file;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t tag = 0;    // the sender's own name for the file
  uint64_t named = 0;  // and for the offset; moves along with it
};

class OutQueue {
 public:
  // Slices up to this size are copied: a part of its own costs the kernel more.
  static constexpr size_t kCopyBytesMax = 1024;

  void Push(std::string_view bytes);
  void Push(Slice bytes);
  void Push(FileRange range);

  // One system call's worth from the front to `transport`; what was taken is gone from the queue.
  IoResult SendTo(Transport& transport);

  bool empty() const { return head_ == items_.size(); }
  size_t items() const { return items_.size() - head_; }
  size_t bytes() const { return bytes_; }  // in memory: file ranges do not count
  // The file range at the front.
  const FileRange& front_file() const { return std::get<FileRange>(items_[head_]); }
  void Clear();

 private:
  using Item = std::variant<std::string, Slice, FileRange>;

  IoResult SendBytes(Transport& transport);
  IoResult SendFile(Transport& transport, FileRange& range);
  void PopFront();

  std::vector<Item> items_;  // from head_ on; at most queued_items_max and queued_bytes_max
  size_t head_ = 0;
  size_t front_sent_ = 0;  // bytes of the front item, unless it is a file range, that are gone already
  size_t bytes_ = 0;
};

}  // namespace bt::net
