// Gives a target what its corpus holds, each input whole, cut short anywhere, and with each of its bytes
// changed: a target that is never fuzzed still sees bad input in every test run. An input is a line of
// base64.

#include <absl/strings/escaping.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/fuzz/input.h"

namespace {

constexpr size_t kChangesMax = 4096;  // of one input

void Give(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream corpus(argv[i]);
    for (std::string line; std::getline(corpus, line); ++inputs) {
      std::string input;
      if (!absl::Base64Unescape(line, &input)) {
        std::fprintf(stderr, "%s: line %zu is no base64\n", argv[i], inputs + 1);
        return 1;
      }
      Give(input);
      const size_t stride = input.size() / kChangesMax + 1;
      for (size_t at = 0; at < input.size(); at += stride) {
        Give(input.substr(0, at));
        std::string changed = input;
        changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
        Give(changed);
      }
    }
  }
  std::printf("%zu inputs\n", inputs);
  return inputs == 0 ? 1 : 0;
}
