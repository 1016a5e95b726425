#pragma once

// ReadPlainOffer: the body of an offer as WriteOfferBody writes it, and as a person would without spaces,
// read in one pass. Most of what a cluster is asked for are claims, and a tree of JSON values for each cost
// its nodes a tenth of their time.

#include <optional>
#include <string_view>

#include "nodes/http_api/json_api.h"

namespace bt::nodes {

// nullopt for everything else, right or wrong: ParseOfferBody then reads it as the JSON it is. What is read
// here would be read the same there.
std::optional<OfferBody> ReadPlainOffer(std::string_view text);

}  // namespace bt::nodes
