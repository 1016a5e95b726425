#pragma once

// The page for people at a node's "/": one self-contained document that asks /status of every node and
// /torrents of this one, again and again.

#include <string>

namespace bt::nodes {

std::string PageHtml();

}  // namespace bt::nodes
