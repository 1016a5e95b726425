#pragma once

// bytetorrent-tracker walcat: what a journal holds and whether it is whole, read as recovery reads it.
// Nothing is changed, and the directory is not locked: of a node that runs, the end may be in the middle of a
// write.

#include <string>

namespace bt::nodes {

// Of a data directory, or of what was set aside of one (node_state.h): prints segments, records and a
// verdict. The exit status: 0 whole, 1 damaged or not readable.
int Walcat(const std::string& directory);

}  // namespace bt::nodes
