#pragma once

// Small helpers for what the programs print: one-line errors, std::string_view into Abseil's formatting,
// sizes and times for people.

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace bt::nodes {

// Debian's absl::string_view is a type of its own.
inline absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string Message(const absl::Status& status) { return std::string(status.message()); }

// "12.3 MiB"; "512 B".
std::string SizeText(uint64_t bytes);
// `text` with control characters (and bytes that are not UTF-8's) replaced by '?': for what came from
// outside and goes to a terminal.
std::string Printable(std::string_view text);

// What is wrong with a command line that has an empty argument, `--flag ""` or `--flag=`, as an unset
// variable of a script makes it; empty if none is. An empty value is a mistake and never means "not given".
std::string EmptyArgument(int argc, const char* const* argv);

// Raises the limit of open descriptors to what the system allows; SIGPIPE is ignored.
void PrepareProcess();

}  // namespace bt::nodes
