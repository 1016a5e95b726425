// bytetorrent register: gives a torrent to the tracker cluster, for good.

#include <absl/strings/str_cat.h>

#include <cstdio>

#include "nodes/client/trackers.h"
#include "nodes/commands/commands.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_files.h"

namespace bt::nodes {

namespace {

constexpr Duration kRegisterLimit = Seconds(30);

std::string Refused(const TorrentFile& torrent, const std::string& reason) {
  return absl::StrCat(Printable(torrent.metainfo.name), ": the cluster refuses it: ", Printable(reason));
}

// Of an answer that is no success.
ExitStatus Explain(const TorrentFile& torrent, const tracker_api::Response& response) {
  const std::string refused = Refused(torrent, response.reason);
  if (response.outcome != tracker_api::Outcome::kConflict) {
    return Refuse("register", absl::FailedPreconditionError(refused));
  }
  return Refuse(
      "register",
      absl::AlreadyExistsError(absl::StrCat(
          refused, "; what is registered never changes: create the torrent under another name with --name")),
      ExitStatus::kBoundToOther);
}

}  // namespace

ExitStatus RunRegister(const RegisterOptions& options) {
  absl::StatusOr<ReadTorrent> read = ReadTorrentAndBytes(options.torrent);
  if (!read.ok()) return Refuse("register", read.status());
  const TorrentFile& torrent = read->torrent;
  absl::StatusOr<TrackerList> trackers =
      ResolveTrackers(options.trackers, torrent.trackers, TrackerUse::kCluster);
  if (!trackers.ok()) return RefuseTrackers("register", trackers.status());
  const absl::Status trust = TakeTrust(options.trust, *trackers);
  if (!trust.ok()) return Refuse("register", trust);
  int stopped_by = 0;
  const absl::StatusOr<tracker_api::Response> response =
      AskTrackers(*trackers, tracker_api::Register{{}, torrent.metainfo}, std::move(read->bytes),
                  kRegisterLimit, stopped_by);
  if (stopped_by != 0) return Refuse("register", response.status(), StoppedBy(stopped_by));
  if (absl::IsPermissionDenied(response.status())) {
    return Refuse("register", absl::PermissionDeniedError(Refused(torrent, Message(response.status()))));
  }
  if (!response.ok()) {
    return Refuse("register",
                  absl::UnavailableError(
                      absl::StrCat(Printable(torrent.metainfo.name),
                                   ": not registered as far as known: ", Message(response.status()),
                                   "; start the trackers or name others with --tracker, then run it again")),
                  ExitStatus::kNoTracker);
  }
  const bool created = response->outcome == tracker_api::Outcome::kCreated;
  if (!created && response->outcome != tracker_api::Outcome::kOk) return Explain(torrent, *response);
  const std::string content = torrent.metainfo.content().ToString();
  if (options.json) {
    const Json line = {
        {"event", "registered"}, {"name", torrent.metainfo.name}, {"content", content}, {"new", created}};
    std::printf("%s\n", JsonText(line).c_str());
  } else {
    std::printf("registered %s as %s%s\n", Printable(torrent.metainfo.name).c_str(), content.c_str(),
                created ? "" : " (it was already)");
  }
  return ExitStatus::kDone;
}

}  // namespace bt::nodes
