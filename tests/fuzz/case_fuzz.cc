// Cases of the simulator, which people edit.

#include "core/base/check.h"
#include "sim/case_file.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto kept = bt::sim::ParseCase(bt::fuzz::Input(data, size).rest());
  if (!kept.ok()) {
    CHECK(kept.status().message().find('\n') == std::string_view::npos);
    return 0;
  }
  const std::string text = bt::sim::RenderCase(*kept);
  const auto again = bt::sim::ParseCase(text);
  CHECK_MSG(again.ok() && bt::sim::RenderCase(*again) == text, "a case reads otherwise when written");
  return 0;
}
