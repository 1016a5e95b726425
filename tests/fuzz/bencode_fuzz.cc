// Bencode (BEP 3), as torrents, metadata messages and others' trackers send it.

#include "core/base/check.h"
#include "core/torrent/bencode.h"
#include "tests/fuzz/input.h"

namespace {

// Every value lies within its parent's bytes.
void Walk(bt::bencode::Value value, std::string_view within) {
  CHECK(value.raw().data() >= within.data() &&
        value.raw().data() + value.raw().size() <= within.data() + within.size());
  for (auto child = value.first(); child.has_value(); child = child->next()) Walk(*child, value.raw());
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = bt::fuzz::Input(data, size).rest();
  const auto document = bt::bencode::Document::Parse(bytes);
  if (document.ok()) Walk(document->root(), bytes);
  return 0;
}
