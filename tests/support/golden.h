#pragma once

// Golden texts: what a test saw, compared with a file beside it that people have read. To accept a change,
//     BYTETORRENT_REWRITE=1 bazel run //tests/core/paxos:transcript_test
// writes the files anew; review them as a diff.

#include <string>

namespace bt::test {

// Fails the running test, with both texts, unless `text` is what the file at `path` (from the top of the
// workspace) holds.
void ExpectGolden(const std::string& path, const std::string& text);

}  // namespace bt::test
