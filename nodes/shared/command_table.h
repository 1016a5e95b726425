#pragma once

// What a program's command line is made of, as CLI11 keeps it: read by who prints pages of it
// (command_pages.h) and by who looks for what a mistyped word was meant to be (command_line.h).

#include <CLI/CLI.hpp>
#include <vector>

namespace bt::nodes {

// The commands right below, in the order of --help.
inline std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Without positional arguments.
inline std::vector<const CLI::Option*> OptionsOf(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->nonpositional(); });
}

}  // namespace bt::nodes
