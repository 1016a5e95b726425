#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace bt::test {

void ExpectGolden(const std::string& path, const std::string& text) {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");  // of bazel run
  if (std::getenv("BYTETORRENT_REWRITE") != nullptr) {
    ASSERT_NE(workspace, nullptr) << "texts are rewritten by bazel run, not by bazel test";
    std::ofstream out(std::string(workspace) + "/" + path);
    out << text;
    ASSERT_TRUE(out.flush()) << "cannot write " << path;
    return;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << "cannot read " << path << "; tests/support/golden.h says how it is written";
  std::ostringstream wanted;
  wanted << in.rdbuf();
  EXPECT_EQ(text, wanted.str()) << path
                                << " says otherwise; tests/support/golden.h says how to accept the change";
}

}  // namespace bt::test
