// The peer wire (BEP 3, 6, 9, 10, 11, 52). However a stream is cut, it is the same messages, and what a
// message is written as is read as that message.

#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/swarm/wire.h"
#include "tests/fuzz/input.h"

namespace wire = bt::swarm::wire;

namespace {

struct Read {
  std::vector<wire::Message> messages;
  bool failed = false;
};

Read ReadAll(std::string_view stream, size_t cut) {
  Read read;
  wire::Decoder decoder;
  bool greeted = false;
  while (!stream.empty()) {
    decoder.Feed(bt::Slice::Copy(stream.substr(0, cut)));
    stream.remove_prefix(std::min(cut, stream.size()));
    for (bool more = true; more;) {
      wire::Handshake handshake;
      wire::Message message;
      const auto result = greeted ? decoder.Next(message) : decoder.NextHandshake(handshake);
      more = result == wire::Decoder::Result::kMessage;
      if (more && greeted) read.messages.push_back(message);
      greeted = greeted || more;
      if (result == wire::Decoder::Result::kError) {
        CHECK(decoder.error() != nullptr);
        read.failed = true;
        return read;
      }
    }
  }
  return read;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  const size_t cut = 1 + input.Byte();
  const std::string stream = wire::EncodeHandshake({}) + std::string(input.rest());
  const Read whole = ReadAll(stream, stream.size());
  const Read pieces = ReadAll(stream, cut);
  CHECK_MSG(whole.messages == pieces.messages && whole.failed == pieces.failed,
            "a cut stream reads otherwise");
  for (const wire::Message& message : whole.messages) {
    if (std::holds_alternative<wire::Ignored>(message)) continue;
    std::string written = wire::EncodeHandshake({});
    wire::Append(message, written);
    const Read again = ReadAll(written, written.size());
    CHECK_MSG(again.messages.size() == 1 && again.messages[0] == message,
              "a message reads otherwise when written");
  }
  return 0;
}
