#include "sim/paged_bytes.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::sim {

void PagedBytes::Resize(uint64_t size) {
  pages_.resize((size + kPageBytes - 1) / kPageBytes);
  const uint64_t within = size % kPageBytes;
  if (size < size_ && within > 0 && pages_.back().view().size() > within) {
    Page& last = pages_.back();
    last = {.kept = Slice::Copy(last.view().substr(0, within)), .own = nullptr};
  }
  size_ = size;
}

std::string& PagedBytes::Writable(Page& page, uint64_t length) {
  if (page.own == nullptr || page.own.use_count() > 1) {
    page.own = std::make_shared<std::string>(page.view());
    page.kept = Slice();
  }
  if (page.own->size() < length) page.own->resize(length);
  return *page.own;
}

void PagedBytes::Write(uint64_t offset, const Slice& bytes) {
  if (offset + bytes.size() > size_) Resize(offset + bytes.size());
  uint64_t done = 0;
  while (done < bytes.size()) {
    const uint64_t at = offset + done;
    const uint64_t within = at % kPageBytes;
    const uint64_t length = std::min(kPageBytes - within, bytes.size() - done);
    Page& page = pages_[at / kPageBytes];
    if (within == 0 && (length == kPageBytes || at + length == size_)) {
      page = {.kept = bytes.Sub(done, length), .own = nullptr};
    } else {
      bytes.view().copy(Writable(page, within + length).data() + within, length, done);
    }
    done += length;
  }
}

Slice PagedBytes::Read(uint64_t offset, uint64_t length) const {
  CHECK(offset <= size_ && length <= size_ - offset);
  if (length == 0) return {};
  const Page& first = pages_[offset / kPageBytes];
  const uint64_t within = offset % kPageBytes;
  if (within + length <= first.view().size()) {
    if (first.own == nullptr) return first.kept.Sub(within, length);
    return Slice::Wrap(first.own, first.own->data() + within, length);
  }
  std::string bytes(length, '\0');
  uint64_t done = 0;
  while (done < length) {
    const uint64_t at = offset + done;
    const uint64_t part = std::min(kPageBytes - at % kPageBytes, length - done);
    const std::string_view held = pages_[at / kPageBytes].view();
    const uint64_t from = std::min<uint64_t>(at % kPageBytes, held.size());
    held.copy(bytes.data() + done, part, from);
    done += part;
  }
  return Slice::Own(std::move(bytes));
}

bool PagedBytes::Holds(uint64_t offset, const Slice& bytes) const {
  if (offset > size_ || bytes.size() > size_ - offset) return false;
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t at = offset + done;
    const uint64_t part = std::min(kPageBytes - at % kPageBytes, bytes.size() - done);
    const Slice held = Read(at, part);
    const Slice asked = bytes.Sub(done, part);
    if (held.data() != asked.data() && held != asked) return false;
    done += part;
  }
  return true;
}

}  // namespace bt::sim
