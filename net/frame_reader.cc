#include "net/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/digest.h"

namespace bt::net {
namespace {

constexpr size_t kRoomBytes = 16 * 1024;
// A buffer that a long frame has stretched beyond this is given back when it runs empty.
constexpr size_t kKeptBytesMax = 256 * 1024;

}  // namespace

FrameHeader EncodeFrameHeader(std::string_view body) {
  FrameHeader header;
  StoreLittle(header.data(), kFrameMagic, 4);
  StoreLittle(header.data() + 4, body.size(), 4);
  StoreLittle(header.data() + 8, HashBytes(body), 8);
  return header;
}

void WriteFrame(Connection& connection, Slice body) {
  const FrameHeader header = EncodeFrameHeader(body.view());
  connection.Write(std::string_view(header.data(), header.size()));
  connection.Write(std::move(body));
}

FrameReader::Progress FrameReader::Receive(Connection& connection, size_t budget) {
  while (budget > 0) {
    if (begin_ > 0 && (begin_ == end_ || buffer_.size() - end_ < kRoomBytes)) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    // Doubling with what has really come, so that a long frame costs few moves.
    if (buffer_.size() - end_ < kRoomBytes) buffer_.resize(std::max(end_ * 2, end_ + kRoomBytes));
    const size_t room = std::min(buffer_.size() - end_, budget);
    const IoResult got = connection.Read(buffer_.data() + end_, room);
    if (got.state == IoResult::State::kBlocked) return Progress::kMore;
    if (got.state != IoResult::State::kDone) return Progress::kClosed;
    end_ += got.bytes;
    budget -= got.bytes;
    if (got.bytes < room) return Progress::kMore;
  }
  return Progress::kEnough;
}

FrameReader::Next FrameReader::Pop(size_t limit) {
  const size_t have = end_ - begin_;
  if (have == 0 && buffer_.size() > kKeptBytesMax) {
    buffer_ = std::string();
    begin_ = end_ = 0;
  }
  // A wrong magic is known by its first wrong byte.
  const char* header = buffer_.data() + begin_;
  for (size_t i = 0; i < std::min<size_t>(have, 4); ++i) {
    if (static_cast<uint8_t>(header[i]) != (kFrameMagic >> (8 * i) & 0xff)) return {Kind::kBad, {}};
  }
  if (have < kFrameHeaderBytes) return {};
  const size_t length = LoadLittle(header + 4, 4);
  if (length > limit) return {Kind::kBad, {}};
  if (have - kFrameHeaderBytes < length) return {};
  const std::string_view body(header + kFrameHeaderBytes, length);
  if (HashBytes(body) != LoadLittle(header + 8, 8)) return {Kind::kBad, {}};
  begin_ += kFrameHeaderBytes + length;
  return {Kind::kFrame, Slice::Copy(body)};
}

}  // namespace bt::net
