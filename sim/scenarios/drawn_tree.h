#pragma once

// DrawTree: the form of a tree: a few directories, files of no byte, of one, of about a piece and of several,
// at least one of them not empty. For scenarios.

#include <cstdint>

#include "core/torrent/file_tree.h"
#include "sim/random_stream.h"

namespace bt::sim {

FileTree DrawTree(RandomStream& rng, uint32_t piece_length);

}  // namespace bt::sim
