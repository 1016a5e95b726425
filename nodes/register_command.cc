// bytetorrent register: gives a torrent to the tracker cluster, for good.

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <cstdio>

#include "nodes/commands.h"
#include "nodes/json_api.h"
#include "nodes/text.h"
#include "nodes/torrent_commands/torrent_files.h"
#include "nodes/trackers.h"

namespace bt::nodes {

namespace {

constexpr Duration kRegisterLimit = Seconds(30);

// The file's own bytes go to the tracker: its info dictionary may give info-hashes of its own.
absl::StatusOr<std::string> ReadBytes(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  std::string bytes(file->size(), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got =
        ::pread(file->descriptor(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got <= 0) return absl::UnavailableError(absl::StrCat(path, ": cannot be read to its end; try again"));
    have += static_cast<size_t>(got);
  }
  return bytes;
}

absl::Status Explain(const TorrentFile& torrent, const tracker_api::Response& response) {
  const std::string name = Printable(torrent.metainfo.name);
  const std::string reason = Printable(response.reason);
  if (response.outcome == tracker_api::Outcome::kConflict) {
    return absl::AlreadyExistsError(absl::StrCat(
        name, ": the cluster refuses it: ", reason,
        "; what is registered never changes: create the torrent under another name with --name"));
  }
  return absl::FailedPreconditionError(absl::StrCat(name, ": the cluster refuses it: ", reason));
}

}  // namespace

int RunRegister(const RegisterOptions& options) {
  const absl::StatusOr<TorrentFile> torrent = ReadTorrentFile(options.torrent);
  if (!torrent.ok()) return ReportError("register", torrent.status()), 1;
  absl::StatusOr<std::string> bytes = ReadBytes(options.torrent);
  if (!bytes.ok()) return ReportError("register", bytes.status()), 1;
  const absl::StatusOr<TrackerList> trackers = ResolveTrackers(options.trackers, torrent->trackers);
  if (!trackers.ok()) {
    ReportError("register", trackers.status());
    return absl::IsInvalidArgument(trackers.status()) ? 2 : 1;
  }
  const absl::StatusOr<tracker_api::Response> response =
      AskTrackers(*trackers, tracker_api::Register{{}, torrent->metainfo}, *std::move(bytes), kRegisterLimit);
  if (absl::IsUnavailable(response.status())) {
    ReportError("register", absl::UnavailableError(absl::StrCat(
                                Printable(torrent->metainfo.name),
                                ": not registered as far as known: ", Message(response.status()),
                                "; start the trackers or name others with --tracker, then run it again")));
    return 1;
  }
  if (!response.ok()) return ReportError("register", response.status()), 1;
  const bool created = response->outcome == tracker_api::Outcome::kCreated;
  if (!created && response->outcome != tracker_api::Outcome::kOk) {
    ReportError("register", Explain(*torrent, *response));
    return 1;
  }
  const std::string content = torrent->metainfo.content().ToString();
  if (options.json) {
    std::printf("{\"event\":\"registered\",\"name\":%s,\"content\":\"%s\",\"new\":%s}\n",
                JsonQuote(torrent->metainfo.name).c_str(), content.c_str(), created ? "true" : "false");
  } else {
    std::printf("registered %s as %s%s\n", Printable(torrent->metainfo.name).c_str(), content.c_str(),
                created ? "" : " (it was already)");
  }
  return 0;
}

}  // namespace bt::nodes
