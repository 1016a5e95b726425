#include "nodes/commands/create_command.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "nodes/shared/file_hashing.h"
#include "nodes/shared/files.h"
#include "nodes/shared/torrent_files.h"
#include "nodes/shared/torrent_format.h"
#include "nodes/shared/tracker_url.h"

namespace bt::nodes {
namespace {

// Options that make sense, whatever the file holds.
struct Plan {
  std::string name;
  std::string output;
  TorrentFormat format = TorrentFormat::kHybrid;
  std::vector<std::string> announce_urls;
};

absl::StatusOr<Plan> MakePlan(const CreateOptions& options) {
  Plan plan;
  plan.name = options.name.empty() ? std::filesystem::path(options.file).filename().string() : options.name;
  const auto format = ParseFormat(options.format);
  if (!format) {
    return absl::InvalidArgumentError(
        absl::StrCat("--format ", options.format, " is unknown; it is hybrid, v1 or v2"));
  }
  plan.format = *format;
  // A directory given with a trailing slash has no last part; that it is a directory is the better message.
  if (absl::Status status = ValidateName(plan.name); !status.ok() && !plan.name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unusable name for the torrent: ", status.message(), "; give another with --name"));
  }
  if (options.piece_length != 0 &&
      (!std::has_single_bit(options.piece_length) || options.piece_length < kPieceLengthMin ||
       options.piece_length > kPieceLengthMax)) {
    return absl::InvalidArgumentError(absl::StrCat("--piece-length ", options.piece_length,
                                                   " is not a power of two between ", kPieceLengthMin,
                                                   " and ", kPieceLengthMax));
  }
  auto trackers = options.trackers;
  if (trackers.empty()) trackers.push_back(kDefaultTracker);
  if (trackers.size() > kTrackerCountLimit) {
    return absl::InvalidArgumentError(absl::StrCat("--tracker given ", trackers.size(), " times; at most ",
                                                   kTrackerCountLimit, " are allowed"));
  }
  for (const std::string& tracker : trackers) {
    const absl::StatusOr<TrackerUrl> url = ParseTrackerUrl(tracker);
    if (!url.ok()) return url.status();
    plan.announce_urls.push_back(url->Announce());
  }
  plan.output = options.output.empty() ? absl::StrCat(plan.name, ".torrent") : options.output;
  return plan;
}

// Overwriting an older torrent is what people expect; losing any other file is not.
absl::Status CheckOutput(const InputFile& input, const std::string& output) {
  if (input.IsSameFile(output)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", output, ": it is the data file itself; name another with -o"));
  }
  // Known now rather than after hashing for minutes.
  const std::filesystem::path directory = std::filesystem::absolute(output).parent_path();
  if (access(directory.c_str(), W_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", output, ": ", std::strerror(errno), ": ", directory.string(),
                     "; create it, make it writable or name another with -o"));
  }
  std::error_code ignored;
  if (std::filesystem::exists(output, ignored) && !ReadTorrentFile(output).ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", output,
                     ": something that is no torrent of ours is there; remove it or name another with -o"));
  }
  return absl::OkStatus();
}

absl::StatusOr<TorrentFile> Create(const CreateOptions& options, const Plan& plan) {
  const auto file = InputFile::Open(options.file);
  if (!file.ok()) return file.status();
  if (file->size() == 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make a torrent of ", options.file,
                                                      ": it is empty, so there is nothing to share"));
  }
  if (absl::Status status = CheckOutput(*file, plan.output); !status.ok()) return status;
  const uint64_t piece_length =
      options.piece_length != 0 ? options.piece_length : DefaultPieceLength(file->size());
  if ((file->size() - 1) / piece_length >= kPieceCountLimit) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a torrent of ", options.file, ": in pieces of ", piece_length,
                     " bytes it has over ", kPieceCountLimit, " of them; use a larger --piece-length"));
  }
  auto metainfo = HashFile(*file, options.file, plan.name, static_cast<uint32_t>(piece_length));
  if (!metainfo.ok()) return metainfo.status();
  TorrentFile torrent{*std::move(metainfo), plan.format, plan.announce_urls};
  if (absl::Status status = WriteFileAtomically(plan.output, WriteTorrent(torrent)); !status.ok())
    return status;
  return torrent;
}

}  // namespace

ExitStatus RunCreate(const CreateOptions& options) {
  const auto plan = MakePlan(options);
  if (!plan.ok()) return Refuse("create", plan.status(), ExitStatus::kWrongUsage);
  const auto torrent = Create(options, *plan);
  if (!torrent.ok()) return Refuse("create", torrent.status());

  const Metainfo& metainfo = torrent->metainfo;
  std::printf("torrent: %s\n", plan->output.c_str());
  std::printf("content-id: %s\n", metainfo.content().ToString().c_str());
  if (torrent->format != TorrentFormat::kV2) {
    std::printf("info-hash-v1: %s\n", Hex(metainfo.InfoHashV1(torrent->format)).c_str());
  }
  if (torrent->format != TorrentFormat::kV1) {
    std::printf("info-hash-v2: %s\n", Hex(metainfo.InfoHashV2(torrent->format)).c_str());
  }
  return std::fflush(stdout) == 0 ? ExitStatus::kDone : ExitStatus::kFailed;
}

}  // namespace bt::nodes
