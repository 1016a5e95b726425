#pragma once

// What a program says about a command line that it does not understand, and whether it says it in JSON.

#include <CLI/CLI.hpp>
#include <string>

namespace bt::nodes {

// One line, without its end: what is wrong with the command line that `program` has just refused with
// `error`, what may have been meant instead, and where the right way is shown.
std::string WrongUsage(const CLI::App& program, const CLI::Error& error);

// The names of the commands that were understood: "cluster add".
std::string CommandWords(const CLI::App& program);

// Of a command line that was understood: whether the command was given its flag --json.
bool AsksForJson(const CLI::App& program);
// Of one that was not, or not yet: whether --json stands in it.
bool MayAskForJson(int argc, const char* const* argv);

// For a program with all its commands: help, manual and completions show a value as one word for people (the
// type_name of its option), without what CLI11 appends for checks and units, and an argument as its name
// alone.
void ShowValuesAsWords(CLI::App& program);

}  // namespace bt::nodes
