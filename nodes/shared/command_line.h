#pragma once

// What a program says about a command line that it does not understand.

#include <CLI/CLI.hpp>
#include <string>

namespace bt::nodes {

// One line, without its end: what is wrong with the command line that `program` has just refused with
// `error`, what may have been meant instead, and where the right way is shown.
std::string WrongUsage(const CLI::App& program, const CLI::Error& error);

}  // namespace bt::nodes
