#include "nodes/daemon/data_place.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "nodes/shared/text.h"

namespace bt::nodes {

absl::StatusOr<DataPlace> FindData(const swarm::OpenFile& content, std::string_view path) {
  const absl::Status not_found =
      absl::NotFoundError(absl::StrCat("there is no file ", Printable(path), " in it"));
  if (content.parts.empty()) {
    if (!path.empty() && path != content.name) return not_found;
    return DataPlace{0, content.length};
  }
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("it is a directory of ", content.parts.size(),
                                                   " files: name one of them, as data/",
                                                   Printable(content.parts.front().path)));
  }
  const auto found = std::find_if(content.parts.begin(), content.parts.end(),
                                  [&](const swarm::FilePart& part) { return part.path == path; });
  if (found == content.parts.end()) return not_found;
  if (!found->selected) {
    return absl::FailedPreconditionError(absl::StrCat(Printable(path), " is not selected for download"));
  }
  return DataPlace{found->offset, found->length};
}

}  // namespace bt::nodes
