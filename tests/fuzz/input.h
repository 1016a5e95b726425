#pragma once

// Input: the bytes that a fuzzer gives, taken from the front. What is behind their end is zeros.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bt::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  uint8_t Byte() { return rest_.empty() ? 0 : static_cast<uint8_t>(Take(1)[0]); }
  uint32_t Number() { return uint32_t{Byte()} << 8 | Byte(); }
  // As many as there are, at most `size`.
  std::string_view Take(size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // A piece behind its length.
  std::string_view Piece() { return Take(Number()); }

 private:
  std::string_view rest_;
};

}  // namespace bt::fuzz

// What each target defines: libFuzzer calls it with what it makes up, corpus_main.cc with what is kept.
// Whatever the bytes are, it must return; a broken property is a CHECK.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
