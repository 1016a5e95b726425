#include "nodes/daemon/finished_content.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace bt::nodes {

FinishedContent::FinishedContent(net::Loop& loop, SideThreads& side, std::string path,
                                 swarm::OpenFile content)
    : loop_(loop),
      side_(side),
      place_{std::move(path), false},
      content_(std::move(content)),
      close_(loop, [this] { file_.reset(); }),
      later_(loop) {
  side_.Run(
      [path = place_.path, content = content_] {
        return std::make_shared<ContentWatch>(path, content.length, content.parts);
      },
      later_, [this](std::shared_ptr<ContentWatch> watch) { watch_ = std::move(watch); });
}

net::FileRange FinishedContent::Readable(uint64_t offset, uint64_t most) {
  if (!status_.ok()) return {};
  close_.Arm(loop_.now() + kClosedAfter);
  if (file_ == nullptr || loop_.now() - looked_ >= kLookPeriod) {
    BeginLook();
    return {};
  }
  absl::StatusOr<TreeFiles::Extent> extent = file_->Locate(file_, offset);
  if (extent.ok() && extent->file != nullptr) {
    return {std::move(extent->file), extent->offset, std::min(most, extent->length)};
  }
  status_ = absl::FailedPreconditionError(
      absl::StrCat(place_.path, " cannot be read: ", extent.status().message()));
  return {};
}

void FinishedContent::BeginLook() {
  if (looking_ || watch_ == nullptr) return;
  looking_ = true;
  side_.Run([watch = watch_, place = place_, content = content_,
             file = file_]() mutable { return Look(*watch, place, content, std::move(file)); },
            later_, [this](Looked looked) { OnLooked(std::move(looked)); });
}

FinishedContent::Looked FinishedContent::Look(ContentWatch& watch, const FilePlace& place,
                                              const swarm::OpenFile& content,
                                              std::shared_ptr<ContentFile> file) {
  if (file == nullptr) {
    absl::StatusOr<std::shared_ptr<ContentFile>> opened = OpenForReading(place, content);
    if (!opened.ok()) return {opened.status(), nullptr};
    file = *std::move(opened);
  }
  // After the opening: what was opened is what is found unchanged.
  if (!watch.Look()) return {absl::OkStatus(), std::move(file)};
  return {absl::FailedPreconditionError(absl::StrCat(place.path, " was changed since it was complete")),
          nullptr};
}

void FinishedContent::OnLooked(Looked looked) {
  looking_ = false;
  looked_ = loop_.now();
  status_ = std::move(looked.status);
  file_ = std::move(looked.file);
}

}  // namespace bt::nodes
