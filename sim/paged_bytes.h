#pragma once

// PagedBytes: the bytes of a simulated file, in pages that files share until one of them is written to. A
// copy of a file, and a block that many nodes have written, cost pointers; so the memory of a swarm is that
// of its distinct bytes, however many downloads hold them.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/slice.h"

namespace bt::sim {

class PagedBytes {
 public:
  static constexpr uint64_t kPageBytes = 16 * 1024;  // a block of BitTorrent

  uint64_t size() const { return size_; }
  // What is added is zeros.
  void Resize(uint64_t size);
  // Grows as needed. Keeps `bytes` themselves where they are a whole page, or the last one of these bytes.
  void Write(uint64_t offset, const Slice& bytes);
  // [offset, offset + length), which must be there. A range within one page is not copied.
  Slice Read(uint64_t offset, uint64_t length) const;
  Slice All() const { return Read(0, size_); }
  // Whether `bytes` are what is there from `offset` on. What both share is not compared.
  bool Holds(uint64_t offset, const Slice& bytes) const;

 private:
  // Zeros follow what it holds, up to its end.
  struct Page {
    std::string_view view() const { return own == nullptr ? kept.view() : std::string_view(*own); }
    Slice kept;                        // somebody else's bytes as well
    std::shared_ptr<std::string> own;  // instead of `kept`; written to in place while nobody else has it
  };
  // The page's bytes, to be written to, at least `length` of them.
  std::string& Writable(Page& page, uint64_t length);

  uint64_t size_ = 0;
  std::vector<Page> pages_;
};

}  // namespace bt::sim
