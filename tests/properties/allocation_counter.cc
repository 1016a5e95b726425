#include "tests/properties/allocation_counter.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace bt::test {
namespace {

std::atomic<size_t> allocated_bytes{0};

}  // namespace

size_t AllocatedBytes() { return allocated_bytes.load(); }

}  // namespace bt::test

void* operator new(size_t size) {
  bt::test::allocated_bytes.fetch_add(size, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
