#include "nodes/commands/create_command.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "nodes/client/web_seed_url.h"
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

// The last part of a path, also of a directory's that ends in a slash, or is "." or the like.
std::string NameOf(const std::string& path) {
  const std::filesystem::path given(path);
  std::error_code ignored;
  if (!std::filesystem::is_directory(given, ignored)) return given.filename().string();
  const std::filesystem::path whole = std::filesystem::weakly_canonical(given, ignored);
  return whole.filename().string();
}

absl::StatusOr<Plan> MakePlan(const CreateOptions& options) {
  Plan plan;
  plan.name = options.name.empty() ? NameOf(options.file) : options.name;
  const auto format = ParseFormat(options.format);
  if (!format) {
    return absl::InvalidArgumentError(
        absl::StrCat("--format ", options.format, " is unknown; it is hybrid, v1 or v2"));
  }
  plan.format = *format;
  // What has no last part is no file either, which is the better message.
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
  if (options.web_seeds.size() > kWebSeedsMax) {
    return absl::InvalidArgumentError(absl::StrCat("--web-seed given ", options.web_seeds.size(),
                                                   " times; at most ", kWebSeedsMax, " are allowed"));
  }
  for (const std::string& web_seed : options.web_seeds) {
    const absl::StatusOr<WebSeedUrl> url = WebSeedUrl::Parse(web_seed);
    if (!url.ok()) return url.status();
  }
  plan.output = options.output.empty() ? NameThatFits(plan.name, ".torrent") : options.output;
  return plan;
}

// Overwriting an older torrent is what people expect; losing any other file is not.
absl::Status CheckOutput(const std::string& output) {
  // Known now rather than after hashing for minutes.
  const std::filesystem::path directory = std::filesystem::absolute(output).parent_path();
  if (access(directory.c_str(), W_OK) != 0) return FileError("write into", directory.string(), errno);
  std::error_code ignored;
  if (std::filesystem::exists(output, ignored) && !ReadTorrentFile(output).ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", output,
                     ": something that is no torrent of ours is there; remove it or name another with -o"));
  }
  return absl::OkStatus();
}

// What is known of the content before anything is hashed: of a tree its files.
struct Content {
  std::optional<InputFile> file;
  std::vector<FileTree::File> files;
  uint64_t length = 0;
};

absl::StatusOr<Content> Look(const CreateOptions& options, const Plan& plan) {
  Content content;
  std::error_code ignored;
  if (std::filesystem::is_directory(options.file, ignored)) {
    auto files = ListTree(options.file);
    if (!files.ok()) return files.status();
    content.files = *std::move(files);
    for (const FileTree::File& file : content.files) content.length += file.length;
    if (content.length == 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot make a torrent of ", options.file, ": ",
                       content.files.empty() ? "it holds no file" : "all its files are empty",
                       ", so there is nothing to share"));
    }
    const std::filesystem::path inside =
        std::filesystem::absolute(plan.output)
            .lexically_normal()
            .lexically_relative(std::filesystem::weakly_canonical(options.file, ignored));
    if (!inside.empty() && *inside.begin() != "..") {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot write ", plan.output, ": it would lie in the directory that is shared; name ",
                       "another place with -o"));
    }
    return content;
  }
  auto file = InputFile::Open(options.file);
  if (!file.ok()) return file.status();
  content.file.emplace(*std::move(file));
  content.length = content.file->size();
  if (content.length == 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make a torrent of ", options.file,
                                                      ": it is empty, so there is nothing to share"));
  }
  if (content.file->IsSameFile(plan.output)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", plan.output, ": it is the data file itself; name another with -o"));
  }
  return content;
}

// Of a tree each file begins with a piece of its own, so that there may be many more than the length says.
uint64_t PiecesOf(const Content& content, uint64_t piece_length) {
  if (content.file) return (content.length - 1) / piece_length + 1;
  return FileTree(content.files, static_cast<uint32_t>(piece_length)).piece_count();
}

absl::StatusOr<TorrentFile> Create(const CreateOptions& options, const Plan& plan) {
  const absl::StatusOr<Content> content = Look(options, plan);
  if (!content.ok()) return content.status();
  if (absl::Status status = CheckOutput(plan.output); !status.ok()) return status;
  const uint64_t piece_length =
      options.piece_length != 0 ? options.piece_length : DefaultPieceLength(content->length);
  if (PiecesOf(*content, piece_length) > kPieceCountLimit) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a torrent of ", options.file, ": in pieces of ", piece_length,
                     " bytes it has over ", kPieceCountLimit, " of them; use a larger --piece-length"));
  }
  const uint32_t length = static_cast<uint32_t>(piece_length);
  auto metainfo = content->file ? HashFile(*content->file, plan.name, length)
                                : HashTree(options.file, plan.name, content->files, length);
  if (!metainfo.ok()) return metainfo.status();
  // A URL that names one file cannot be a directory's.
  for (const std::string& web_seed : options.web_seeds) {
    const absl::Status target = WebSeedUrl::Parse(web_seed)->TargetOf(*metainfo, 0).status();
    if (!target.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--web-seed ", web_seed, ": ", target.message()));
    }
  }
  if (absl::Status status = metainfo->Validate(); !status.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a torrent of ", options.file, ": ", status.message()));
  }
  TorrentFile torrent{*std::move(metainfo), plan.format, plan.announce_urls};
  const std::string bytes = WithWebSeeds(WriteTorrent(torrent), options.web_seeds);
  if (bytes.size() > kTorrentFileLimit) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a torrent of ", options.file, ": it would have ", bytes.size(),
                     " bytes, and at most ", kTorrentFileLimit, " are allowed; use a larger --piece-length"));
  }
  if (absl::Status status = WriteFileAtomically(plan.output, bytes); !status.ok()) return status;
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
  if (!metainfo.tree.empty()) std::printf("files: %zu\n", metainfo.tree.files().size());
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
