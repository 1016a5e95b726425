#pragma once

// The page for people at a node's "/": one self-contained document that asks /status of every node and
// /torrents of this one, again and again.

#include <string_view>

namespace bt::nodes {

std::string_view PageHtml();

}  // namespace bt::nodes
