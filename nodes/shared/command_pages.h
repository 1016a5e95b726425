#pragma once

// The manual page and the shells' completions of a program, made from the same table of commands and options
// that prints --help: none of them can fall behind.

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace bt::nodes {

// The shells that Completion knows.
inline constexpr const char* kShells[] = {"bash", "zsh", "fish"};

// A page for man(1) in its macros (man(7)): name, synopsis, options, each command with its own, the footer.
// `section`: 1 for a program that people run, 8 for one that a system runs. The same for the same program: it
// carries no date.
std::string ManualPage(const CLI::App& program, int section, std::string_view version);

// What `shell` (one of kShells) has to read to complete the program's commands and options; a file's name
// completes where neither fits. bash: the file in bash_completion's folder; zsh: the file _PROGRAM in fpath;
// fish: PROGRAM.fish.
std::string Completion(const CLI::App& program, std::string_view shell);

// Adds --manual and --completion SHELL, which print the above and end the program with status 0.
void AddPages(CLI::App& program, int section, std::string_view version);

}  // namespace bt::nodes
