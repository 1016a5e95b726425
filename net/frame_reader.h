#pragma once

// Frames of the replica links: magic u32, length u32, xxh3-64 of the body u64 (little-endian), body.
// FrameReader cuts the bytes of one connection into frames. Memory grows only with bytes that really came: a
// header alone, whatever length it claims, buys nothing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/slice.h"
#include "net/connection.h"

namespace bt::net {

inline constexpr uint32_t kFrameMagic = 0x46725442;  // "BTrF"
inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr size_t kFrameBytesMax = 32u << 20;

using FrameHeader = std::array<char, kFrameHeaderBytes>;
// The header of a frame around `body`.
FrameHeader EncodeFrameHeader(std::string_view body);
// Queues a frame around `body`, whose bytes are not copied.
void WriteFrame(Connection& connection, Slice body);

// The longest frame of a connection that has not said who it is.
inline constexpr size_t kHelloBytesMax = 4096;

class FrameReader {
 public:
  enum class Progress : uint8_t {
    kMore,    // took all there was
    kEnough,  // `budget` bytes; there may be more
    kClosed,  // end of stream or broken; frames already received are still good
  };
  enum class Kind : uint8_t { kNone, kFrame, kBad };
  struct Next {
    Kind kind = Kind::kNone;
    Slice body;
  };

  // Receives up to about `budget` bytes.
  Progress Receive(Connection& connection, size_t budget);
  // The next whole frame with a body of at most `limit` bytes; kBad is for good.
  Next Pop(size_t limit);

 private:
  std::string buffer_;  // at most kFrameBytesMax and what one wake reads
  size_t begin_ = 0;    // bytes before it are used up
  size_t end_ = 0;      // bytes from it on are room
};

}  // namespace bt::net
