#include "net/out_queue.h"

#include <array>
#include <utility>

namespace bt::net {
namespace {

// Below IOV_MAX (1024); more parts than this are rare, since short pieces share one.
constexpr size_t kPartsPerWrite = 256;
// A copied part that has grown to this size is followed by a new one: growing it would move too much.
constexpr size_t kPartBytes = 64 * 1024;
// Popped items are cut off when there are this many and they are half of the array.
constexpr size_t kPoppedMin = 64;

// Nothing for a file range.
std::string_view View(const auto& item) {
  if (const auto* copied = std::get_if<std::string>(&item)) return *copied;
  if (const auto* slice = std::get_if<Slice>(&item)) return slice->view();
  return {};
}

}  // namespace

void OutQueue::Push(std::string_view bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  std::string* last = empty() ? nullptr : std::get_if<std::string>(&items_.back());
  if (last != nullptr && last->size() + bytes.size() <= kPartBytes) {
    last->append(bytes);
  } else {
    items_.emplace_back(std::string(bytes));
  }
}

void OutQueue::Push(Slice bytes) {
  if (bytes.size() <= kCopyBytesMax) return Push(bytes.view());
  bytes_ += bytes.size();
  items_.emplace_back(std::move(bytes));
}

void OutQueue::Push(FileRange range) {
  if (range.length > 0) items_.emplace_back(std::move(range));
}

IoResult OutQueue::SendTo(Transport& transport) {
  if (auto* range = std::get_if<FileRange>(&items_[head_])) return SendFile(transport, *range);
  return SendBytes(transport);
}

IoResult OutQueue::SendBytes(Transport& transport) {
  std::array<iovec, kPartsPerWrite> parts;
  size_t count = 0;
  size_t at = head_;
  for (; at < items_.size() && count < kPartsPerWrite; ++at) {
    std::string_view bytes = View(items_[at]);
    if (bytes.empty()) break;
    if (at == head_) bytes.remove_prefix(front_sent_);
    parts[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  // The bytes before a file range, such as a block's header, wait for it: one segment instead of two.
  const bool file_follows = at < items_.size() && std::holds_alternative<FileRange>(items_[at]);
  const IoResult result = transport.Send({parts.data(), count}, file_follows);
  bytes_ -= result.bytes;
  front_sent_ += result.bytes;
  while (!empty() && front_sent_ > 0 && front_sent_ >= View(items_[head_]).size()) {
    front_sent_ -= View(items_[head_]).size();
    PopFront();
  }
  return result;
}

IoResult OutQueue::SendFile(Transport& transport, FileRange& range) {
  const IoResult result = transport.SendFile(*range.file, range.offset, range.length);
  range.offset += result.bytes;
  range.named += result.bytes;
  range.length -= result.bytes;
  if (range.length == 0) PopFront();
  return result;
}

void OutQueue::PopFront() {
  items_[head_++] = std::string();
  if (empty()) {
    items_.clear();
    head_ = 0;
  } else if (head_ >= kPoppedMin && head_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void OutQueue::Clear() { *this = OutQueue(); }

}  // namespace bt::net
