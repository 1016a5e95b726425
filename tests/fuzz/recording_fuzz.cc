// Recordings of tracker nodes, as others send them: the file, and steps as if their block were whole.

#include "core/base/check.h"
#include "core/machine/input_name.h"
#include "core/machine/recording.h"
#include "core/tracker/protocol.h"
#include "tests/fuzz/input.h"

using Protocol = bt::tracker::Protocol;

namespace {

void ReadSteps(const bt::Slice& body) {
  bt::Decoder decoder(body);
  while (decoder.remaining() > 0) {
    const size_t before = decoder.remaining();
    const auto step = bt::TakeStep<Protocol>(decoder);
    if (!step.ok()) return;
    CHECK(decoder.remaining() < before);
    (void)bt::InputText(step->input);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  if ((input.Byte() & 1) == 0) {
    ReadSteps(bt::Slice::Copy(input.rest()));
    return 0;
  }
  auto reader = bt::RecordingReader::Open(bt::Slice::Copy(input.rest()));
  while (reader.ok()) {
    const auto block = reader->Next();
    if (!block.ok() || !block->has_value()) break;
  }
  return 0;
}
