#pragma once

// Slice: an immutable, reference-counted view of bytes. Copying one copies no bytes, so the same
// bytes can be hashed, written and sent to many peers. Safe to hand to another thread.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/check.h"

namespace bt {

class Slice {
 public:
  Slice() = default;

  static Slice Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    auto owner = std::make_shared<std::string>(bytes);
    return Slice(owner, owner->data(), owner->size());
  }
  static Slice Own(std::string&& bytes) {
    if (bytes.empty()) return {};
    auto owner = std::make_shared<std::string>(std::move(bytes));
    return Slice(owner, owner->data(), owner->size());
  }
  // `owner` keeps [data, data + size) alive and unchanged.
  static Slice Wrap(std::shared_ptr<const void> owner, const char* data, size_t size) {
    return Slice(std::move(owner), data, size);
  }
  // Bytes that outlive every slice of them, such as a string literal.
  static Slice Static(std::string_view bytes) { return Slice(nullptr, bytes.data(), bytes.size()); }

  Slice Sub(size_t offset, size_t size) const {
    CHECK(offset <= size_ && size <= size_ - offset);
    return Slice(owner_, data_ + offset, size);
  }
  Slice From(size_t offset) const { return Sub(offset, size_ - offset); }

  std::string_view view() const { return {data_, size_}; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  friend bool operator==(const Slice& a, const Slice& b) { return a.view() == b.view(); }

 private:
  Slice(std::shared_ptr<const void> owner, const char* data, size_t size)
      : owner_(std::move(owner)), data_(data), size_(size) {}

  std::shared_ptr<const void> owner_;
  const char* data_ = "";
  size_t size_ = 0;
};

}  // namespace bt
