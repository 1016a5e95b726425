#include "sim/check/listing.h"

#include <absl/strings/str_format.h>

namespace bt::sim {

bool ListingJudge::Page(const tracker_api::Listing& page, uint32_t limit) {
  if (page.torrents.size() > limit || (page.more && page.torrents.empty())) {
    world_.Fail(absl::StrFormat("listings: a page of %d names was given where at most %d were asked for%s",
                                page.torrents.size(), limit, page.more ? ", and more are promised" : ""));
    return false;
  }
  for (const tracker_api::ListEntry& entry : page.torrents) {
    if (entry.name <= after_) {
      world_.Fail(absl::StrFormat("listings: the name %s comes after %s, out of order", entry.name, after_));
      return false;
    }
    after_ = entry.name;
    missing_.erase(entry.name);
  }
  if (!page.more) {
    if (!missing_.empty()) {
      world_.Fail(absl::StrFormat("listings: the name %s was bound before the walk began and is not listed",
                                  missing_.begin()->first));
    }
    return false;
  }
  if (!missing_.empty() && missing_.begin()->first <= after_) {
    world_.Fail(absl::StrFormat("listings: the pages went past the name %s and did not list it",
                                missing_.begin()->first));
    return false;
  }
  return true;
}

}  // namespace bt::sim
