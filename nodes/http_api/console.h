#pragma once

// The console for people: one document at "/" and what it loads from "/console/": a style sheet and modules
// of plain JavaScript, the files of the folder console/ beside this header, in the binary as they are. The
// document says nothing of the cluster: its script asks this node, with whatever token the person has typed.
// Invariant: a browser loads nothing from elsewhere and runs nothing that stands in the document, by the
// answers' Content-Security-Policy.

#include <string_view>

#include "net/http/message.h"

namespace bt::nodes {

// The first segment of the files' paths.
inline constexpr std::string_view kConsoleFolder = "console";
// The name of the file that is served at "/".
inline constexpr std::string_view kConsoleDocument = "index.html";

struct ConsoleFile {
  std::string_view name;
  std::string_view text;
};

// nullptr: there is none of that name.
const ConsoleFile* FindConsoleFile(std::string_view name);
// The answer with that file, which is there.
net::HttpResponse ConsoleResponse(std::string_view name);

}  // namespace bt::nodes
