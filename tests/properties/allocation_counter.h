#pragma once

// Counts the bytes that this test binary's operator new hands out.

#include <cstddef>

namespace bt::test {

// Bytes allocated since the process started, freed or not.
size_t AllocatedBytes();

}  // namespace bt::test
