// Messages between nodes, and commands in the log. An encoding is canonical: what is accepted has these bytes
// and no others.

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/tracker/command.h"
#include "core/tracker/protocol.h"
#include "tests/fuzz/input.h"

namespace tracker = bt::tracker;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  const bool command = (input.Byte() & 1) != 0;
  const bt::Slice bytes = bt::Slice::Copy(input.rest());
  if (!command) {
    const auto message = bt::Decode<tracker::Protocol::Message>(bytes);
    if (message.ok()) CHECK(bt::Encode(*message) == bytes.view());
    return 0;
  }
  const auto read = tracker::DecodeCommand(bytes);
  const auto head = tracker::DecodeCommandHead(bytes);
  if (!read.ok()) return 0;
  CHECK(head.ok() && head->id == read->id && head->source == read->source);
  const bt::Slice again = std::visit(
      [&](const auto& operation) { return tracker::EncodeCommand(read->id, operation, read->source); },
      read->operation);
  CHECK(again == bytes);
  return 0;
}
