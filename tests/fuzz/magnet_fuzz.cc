// Magnet links (BEP 9) from a command line.

#include "core/base/check.h"
#include "nodes/client/magnet_link.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = bt::fuzz::Input(data, size).rest();
  const auto link = bt::nodes::ParseMagnetLink(text);
  if (!link.ok()) {
    CHECK_MSG(link.status().message().find('\n') == std::string_view::npos, "an error is one line");
    return 0;
  }
  CHECK(bt::nodes::IsMagnetLink(text));
  CHECK(link->v1.has_value() || link->v2.has_value());
  CHECK(link->peers.size() <= bt::nodes::kMagnetPeersLimit);
  return 0;
}
