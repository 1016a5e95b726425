#pragma once

// What must hold for every type that travels. Each function takes its values from rapidcheck and is to be
// called inside rc::check.

#include <rapidcheck.h>

#include <concepts>
#include <string>

#include "core/base/fields.h"
#include "core/base/rng.h"
#include "tests/properties/allocation_counter.h"
#include "tests/support/generators.h"

namespace bt::test {

// A decoder may hand out at most this for `size` bytes of input. The factor covers the largest ratio of a
// struct in memory to its shortest encoding, twice, because a vector doubles as it grows.
inline size_t AllocationLimit(size_t size) { return 256 * size + 64 * 1024; }

// Decodes hostile bytes. What is accepted must be a value whose encoding is exactly these bytes.
template <class T>
void ExpectRefusedOrExact(const std::string& bytes) {
  const Slice input = Slice::Copy(bytes);
  const size_t before = AllocatedBytes();
  const auto decoded = Decode<T>(input);
  const size_t allocated = AllocatedBytes() - before;
  if (allocated > AllocationLimit(bytes.size())) {
    RC_LOG() << allocated << " bytes allocated for " << Hex(bytes);
    RC_FAIL("allocates more than its input justifies");
  }
  if (decoded.ok() && Encode(*decoded) != bytes) {
    RC_LOG() << "accepted " << Hex(bytes) << " as " << TraceText(*decoded);
    RC_FAIL("accepts bytes that the encoder would not write");
  }
}

template <class T>
void ExpectRoundTrip() {
  const T value = *AnyOf<T>();
  const std::string bytes = Encode(value);
  const auto decoded = Decode<T>(Slice::Copy(bytes));
  RC_LOG() << TraceText(value) << " = " << Hex(bytes);
  RC_ASSERT(decoded.ok());
  RC_ASSERT(Encode(*decoded) == bytes);
  if constexpr (std::equality_comparable<T>) RC_ASSERT(*decoded == value);
}

// The encoding is self-delimiting, so nothing cut short and nothing with more behind can be a message.
template <class T>
void ExpectCutsAndTailsRefused() {
  const std::string bytes = Encode(*AnyOf<T>());
  const size_t step = bytes.size() / 256 + 1;
  for (size_t size = 0; size < bytes.size(); size += step) {
    const size_t before = AllocatedBytes();
    RC_ASSERT(!Decode<T>(Slice::Copy(bytes.substr(0, size))).ok());
    RC_ASSERT(AllocatedBytes() - before <= AllocationLimit(bytes.size()));
  }
  RC_ASSERT(
      !Decode<T>(Slice::Copy(bytes + *rc::gen::element(std::string(1, '\0'), std::string("x"), bytes + "y")))
           .ok());
}

template <class T>
void ExpectFlippedBitsRefusedOrExact() {
  const std::string bytes = Encode(*AnyOf<T>());
  if (bytes.empty()) return;
  Rng rng(*rc::gen::arbitrary<uint64_t>());
  for (int round = 0; round < 32; ++round) {
    std::string damaged = bytes;
    for (uint64_t flips = rng.Between(1, 3); flips > 0; --flips) {
      const size_t bit = rng.Below(damaged.size() * 8);
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    }
    ExpectRefusedOrExact<T>(damaged);
  }
}

// Lengths and counts are varints: a run of 0xff bytes anywhere makes one of them enormous.
template <class T>
void ExpectHugeLengthsRefusedOrExact() {
  const std::string bytes = Encode(*AnyOf<T>());
  const size_t step = bytes.size() / 128 + 1;
  for (size_t at = 0; at < bytes.size(); at += step) {
    for (const std::string& huge : {std::string("\xff\xff\xff\xff\x0f"), std::string("\xff\xff\x7f"),
                                    std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")}) {
      ExpectRefusedOrExact<T>(bytes.substr(0, at) + huge + bytes.substr(at + 1));
    }
  }
}

template <class T>
void ExpectGarbageRefusedOrExact() {
  ExpectRefusedOrExact<T>(*AnyBytes(400));
}

}  // namespace bt::test
