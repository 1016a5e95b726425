#pragma once

// What a user types to run this program once more, for the commands that it prints.

#include <string>

namespace bt::sim {

// `called`: its argv[0]. `started_by_bazel`: it was started by `bazel run`, which gives the path of the file
// that Bazel has built; then the target's label. Otherwise what was typed, quoted where a shell wants that.
std::string ProgramAsTyped(const std::string& called, bool started_by_bazel);

}  // namespace bt::sim
