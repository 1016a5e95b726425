#pragma once

// Where a download goes, and whether it is there already. Blocks on the disk.

#include <string>

#include "core/swarm/selection.h"
#include "core/torrent/metainfo.h"

namespace bt::nodes {

// Whether a file is at `path` that has the torrent's content, byte for byte, or a directory that has the
// files of a tree that are selected. What else a directory holds does not matter.
bool HoldsContent(const std::string& path, const Metainfo& metainfo, const swarm::Selection& selection);

// Where a download goes. A directory, or what can only be meant as one, takes the torrent's name below it; of
// a tree, unless it is the tree itself, whole. A selection is added to a directory in which a file of the
// tree is.
std::string DownloadPath(const std::string& output, const Metainfo& metainfo,
                         const swarm::Selection& selection);

}  // namespace bt::nodes
