#pragma once

// The files of the folder console/, as the rule console_files of the BUILD file writes them. For console.cc.

#include <span>

#include "nodes/http_api/console.h"

namespace bt::nodes {

std::span<const ConsoleFile> ConsoleFiles();

}  // namespace bt::nodes
