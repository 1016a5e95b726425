#include "nodes/commands/daemon_commands.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "nodes/client/magnet_link.h"
#include "nodes/client/prepare.h"
#include "nodes/commands/daemon_client.h"
#include "nodes/daemon/order.h"
#include "nodes/shared/files.h"
#include "nodes/shared/json_fields.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_files.h"

namespace bt::nodes {
namespace {

// The daemon, or the sentence that there is none.
absl::StatusOr<DaemonClient> Needed(const ControlOptions& control) {
  absl::StatusOr<std::optional<DaemonClient>> found = DaemonClient::Find(control);
  if (!found.ok()) return found.status();
  if (*found) return **std::move(found);
  return absl::UnavailableError(
      "no daemon runs here; start one with \"bytetorrent daemon\", or name its socket with --control");
}

// Asks, and prints the answer as JSON if that is wanted, else a line.
ExitStatus AskAndTell(const char* command, const TransferCommandOptions& options, const char* method,
                      const std::string& target, const std::string& body, const std::string& line) {
  const absl::StatusOr<DaemonClient> daemon = Needed(options.control);
  if (!daemon.ok()) return Refuse(command, daemon.status());
  const absl::StatusOr<Json> answer = daemon->Ask(method, target, body);
  if (!answer.ok()) return Refuse(command, answer.status());
  std::printf("%s\n", options.json ? JsonText(*answer).c_str() : line.c_str());
  return ExitStatus::kDone;
}

std::string Word(const Json& json, const char* field) { return Printable(TextIn(json, field)); }

double Ratio(const Json& transfer) {
  const auto ratio = transfer.find("ratio");
  return ratio != transfer.end() && ratio->is_number() ? ratio->get<double>() : 0;
}

void PrintRow(const Json& transfer) {
  const uint64_t length = NumberIn(transfer, "length");
  // A daemon that was started again knows of a complete one that it is, and not how long.
  const std::string state = Word(transfer, "state");
  const bool complete = state == "complete" || state == "seeded";
  const uint64_t percent = complete ? 100 : length == 0 ? 0 : NumberIn(transfer, "verified") * 100 / length;
  const std::string name = Word(transfer, "name");
  std::string row = absl::StrFormat(
      "%5d  %-8s  %-11s %4d %%  %10s/s %10s/s %6.2f %5d  %s", NumberIn(transfer, "id"),
      Word(transfer, "kind"), state, percent, SizeText(NumberIn(transfer, "receives_per_second")),
      SizeText(NumberIn(transfer, "sends_per_second")), Ratio(transfer), NumberIn(transfer, "peers"),
      name.empty() ? Word(transfer, "what") : name);
  if (const auto error = transfer.find("error"); error != transfer.end()) {
    absl::StrAppend(&row, ": ", Word(*error, "reason"));
  }
  std::printf("%s\n", row.c_str());
}

TrustOptions Absolute(const TrustOptions& trust) {
  return {AbsolutePath(trust.token_file), AbsolutePath(trust.authorities_file)};
}

ExitStatus AddAndFollow(const DaemonClient& daemon, const Order& order, const char* command, bool json) {
  const absl::StatusOr<Json> added = daemon.Ask("POST", "/transfers", JsonText(OrderJson(order)));
  if (!added.ok()) return Refuse(command, added.status());
  return Follow(daemon, NumberIn(*added, "id"), command, json);
}

// What a daemon decides by itself cannot be asked of it.
absl::Status OnlyAlone(const DaemonClient& daemon, const char* option) {
  return absl::InvalidArgumentError(absl::StrCat("the daemon at ", daemon.socket(), " does not take ", option,
                                                 "; leave it out, or add --alone"));
}

// Who works alone offers until it is told to stop.
std::optional<ExitStatus> Alone(const char* command, const ControlOptions& control) {
  if (!control.seed.given()) return std::nullopt;
  return Refuse(
      command, absl::InvalidArgumentError("--seed-time and --seed-ratio are for a daemon, and none is asked"),
      ExitStatus::kWrongUsage);
}

}  // namespace

ExitStatus RunList(const TransferCommandOptions& options) {
  const absl::StatusOr<DaemonClient> daemon = Needed(options.control);
  if (!daemon.ok()) return Refuse("list", daemon.status());
  const absl::StatusOr<Json> answer = daemon->Ask("GET", "/transfers");
  if (!answer.ok()) return Refuse("list", answer.status());
  const auto transfers = answer->find("transfers");
  if (transfers == answer->end() || !transfers->is_array()) {
    return Refuse("list", absl::InternalError("the daemon's answer is not understood"));
  }
  if (!options.json) {
    std::printf("%5s  %-8s  %-11s %6s  %12s %12s %6s %5s  %s\n", "ID", "KIND", "STATE", "THERE", "RECEIVES",
                "SENDS", "RATIO", "PEERS", "NAME");
  }
  for (const Json& transfer : *transfers) {
    options.json ? void(std::printf("%s\n", JsonText(transfer).c_str())) : PrintRow(transfer);
  }
  return ExitStatus::kDone;
}

ExitStatus RunWatch(const TransferCommandOptions& options) {
  const absl::StatusOr<DaemonClient> daemon = Needed(options.control);
  if (!daemon.ok()) return Refuse("watch", daemon.status());
  return Follow(*daemon, options.id, "watch", options.json);
}

ExitStatus RunPause(const TransferCommandOptions& options) {
  return AskAndTell("pause", options, "POST", TransferPath(options.id, "pause"), {},
                    absl::StrCat("transfer ", options.id, " is paused"));
}

ExitStatus RunResume(const TransferCommandOptions& options) {
  return AskAndTell("resume", options, "POST", TransferPath(options.id, "resume"), {},
                    absl::StrCat("transfer ", options.id, " goes on"));
}

ExitStatus RunRemove(const TransferCommandOptions& options) {
  return AskAndTell("remove", options, "DELETE", TransferPath(options.id), {},
                    absl::StrCat("transfer ", options.id, " is removed; its files stay where they are"));
}

ExitStatus RunLimit(const LimitOptions& options) {
  if (!options.upload && !options.download && !options.seed.given()) {
    return Refuse("limit",
                  absl::InvalidArgumentError(
                      "give --upload-limit, --download-limit, --seed-time, --seed-ratio or several of them"),
                  ExitStatus::kWrongUsage);
  }
  Json body = Json::object();
  if (options.upload) body["upload_limit"] = *options.upload;
  if (options.download) body["download_limit"] = *options.download;
  WriteSeedLimits(options.seed, body);
  const uint64_t id = options.transfer.id;
  return AskAndTell("limit", options.transfer, "POST", id == 0 ? "/limits" : TransferPath(id, "limits"),
                    JsonText(body), "the limits hold from now on");
}

std::optional<ExitStatus> OfferThroughDaemon(const ControlOptions& control, const OfferOptions& options) {
  const absl::StatusOr<std::optional<DaemonClient>> daemon = DaemonClient::Find(control);
  if (!daemon.ok()) return Refuse("offer", daemon.status());
  if (!*daemon) return Alone("offer", control);
  if (!options.listen.empty() || options.skip_verify) {
    return Refuse("offer", OnlyAlone(**daemon, options.listen.empty() ? "--skip-verify" : "--listen"),
                  ExitStatus::kWrongUsage);
  }
  Order order;
  order.kind = Order::Kind::kOffer;
  order.what = AbsolutePath(options.torrent);
  order.path = AbsolutePath(options.file);
  order.trackers = options.trackers;
  order.trust = Absolute(options.trust);
  order.upload_limit = options.upload_limit;
  order.seed = control.seed;
  return AddAndFollow(**daemon, order, "offer", options.json);
}

std::optional<ExitStatus> DownloadThroughDaemon(const ControlOptions& control,
                                                const DownloadOptions& options) {
  const absl::StatusOr<std::optional<DaemonClient>> daemon = DaemonClient::Find(control);
  if (!daemon.ok()) return Refuse("download", daemon.status());
  if (!*daemon) return Alone("download", control);
  if (!options.listen.empty()) {
    return Refuse("download", OnlyAlone(**daemon, "--listen"), ExitStatus::kWrongUsage);
  }
  Order order;
  order.what = options.what;
  if (!IsMagnetLink(options.what)) {
    const absl::StatusOr<TorrentFile> torrent = ReadTorrentFile(options.what);
    if (!torrent.ok() && IsTorrentPath(options.what)) return Refuse("download", torrent.status());
    if (torrent.ok()) order.what = AbsolutePath(options.what);
  }
  // Without an output it goes under its own name into the directory in which the command was given.
  order.path = AbsolutePath(options.output.empty() ? "./" : options.output);
  order.trackers = options.trackers;
  order.trust = Absolute(options.trust);
  order.select = options.select;
  order.upload_limit = options.upload_limit;
  order.download_limit = options.download_limit;
  order.keep_offering = options.keep_offering;
  order.timeout_seconds = options.timeout_seconds;
  order.seed = control.seed;
  return AddAndFollow(**daemon, order, "download", options.json);
}

}  // namespace bt::nodes
