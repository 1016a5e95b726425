#include "nodes/commands/daemon_client.h"

#include <absl/strings/str_cat.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdio>
#include <utility>

#include "core/base/address.h"
#include "core/swarm/protocol.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/unix_socket.h"
#include "nodes/client/reporter.h"
#include "nodes/commands/admin_socket.h"
#include "nodes/daemon/daemon.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"
#include "nodes/shared/json_fields.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr Duration kPatience = Seconds(30);  // a daemon answers once what it did is durable
constexpr Duration kPoll = Milliseconds(200);

swarm::Progress ProgressOf(const Json& json) {
  swarm::Progress progress;
  progress.length = NumberIn(json, "length");
  progress.bytes_verified = NumberIn(json, "verified");
  progress.bytes_sent = NumberIn(json, "sent");
  progress.peers_connected = static_cast<uint32_t>(NumberIn(json, "peers"));
  progress.peers_banned = static_cast<uint32_t>(NumberIn(json, "banned"));
  return progress;
}

class Follower {
 public:
  Follower(const DaemonClient& daemon, uint64_t id, const char* command, bool json)
      : daemon_(daemon), id_(id), reporter_(command, json) {
    loop_.OnSignals({SIGINT, SIGTERM}, [this](int signal) {
      reporter_.Warning(absl::StrCat("the daemon goes on with transfer ", id_, "; \"bytetorrent watch ", id_,
                                     "\" follows it, \"bytetorrent remove ", id_, "\" ends it"));
      End(StoppedBy(signal));
    });
  }

  ExitStatus Run() {
    started_ = net::Loop::ReadClock();
    timer_.Arm(started_);
    loop_.Run();
    return status_;
  }

 private:
  void End(ExitStatus status) {
    status_ = status;
    timer_.Disarm();
    loop_.Stop();
  }

  void OnTimer() {
    const Instant now = net::Loop::ReadClock();
    timer_.Arm(now + kPoll);
    const absl::StatusOr<Json> json = daemon_.Ask("GET", TransferPath(id_));
    if (json.ok()) return Look(*json, now);
    reporter_.Failed(absl::IsUnavailable(json.status())
                         ? absl::StrCat(json.status().message(), "; a daemon that is started again goes on")
                         : Message(json.status()));
    End(ExitStatus::kFailed);
  }

  void Look(const Json& json, Instant now) {
    const std::string state = TextIn(json, "state");
    const bool offer = TextIn(json, "kind") == "offer";
    TellTorrent(json);
    if (state == "failed") return Failed(json);
    if (offer && state == "seeded") {
      reporter_.Warning(absl::StrCat("transfer ", id_, " has given as much as it was to, and ended"));
      return End(ExitStatus::kDone);
    }
    if (state == "complete" || state == "seeded" ||
        (!offer && state == "offering" && FlagIn(json, "offered")))
      return Done(json, now);
    if (offer && FlagIn(json, "offered")) return Offering(json);
    if (state == "paused" && !std::exchange(paused_told_, true)) {
      reporter_.Warning(
          absl::StrCat("transfer ", id_, " is paused; \"bytetorrent resume ", id_, "\" has it go on"));
    }
    if (name_.empty() || state == "preparing") return;
    const swarm::Progress progress = ProgressOf(json);
    if (!std::exchange(begun_, true)) reporter_.Begin(progress, now);
    if (now - reported_ < reporter_.period()) return;
    reported_ = now;
    reporter_.Progress(progress, now);
  }

  void TellTorrent(const Json& json) {
    if (!name_.empty() || TextIn(json, "name").empty()) return;
    const std::optional<ContentId> content = ContentId::Parse(TextIn(json, "content"));
    name_ = TextIn(json, "name");
    if (content) reporter_.TorrentKnown({.content = *content, .name = name_});
  }

  void Failed(const Json& json) {
    const auto error = json.find("error");
    const Json none = Json::object();
    const Json& what = error == json.end() ? none : *error;
    reporter_.Failed(TextIn(what, "reason"));
    const uint64_t status = NumberIn(what, "exit_status");
    if (status == static_cast<uint64_t>(ExitStatus::kNoTracker)) {
      reporter_.Warning(absl::StrCat("the daemon tries again; \"bytetorrent remove ", id_, "\" ends it"));
    }
    End(status == 0 || status > 6 ? ExitStatus::kFailed : static_cast<ExitStatus>(status));
  }

  void Done(const Json& json, Instant now) {
    const uint64_t length = NumberIn(json, "length");
    const uint64_t present = NumberIn(json, "present");
    if (FlagIn(json, "already_there")) {
      reporter_.AlreadyThere(name_, TextIn(json, "target"), length);
    } else {
      reporter_.Complete(name_, TextIn(json, "target"), length, length - std::min(length, present),
                         now - started_, NumberIn(json, "sources"), NumberIn(json, "from_web"));
    }
    if (TextIn(json, "state") == "offering") GoesOn();
    End(ExitStatus::kDone);
  }

  void Offering(const Json& json) {
    const absl::StatusOr<Address> listen = net::Resolve(TextIn(json, "listen"));
    reporter_.Offering(static_cast<uint32_t>(NumberIn(json, "pieces_verified")), name_,
                       listen.ok() ? *listen : Address{});
    GoesOn();
    End(ExitStatus::kDone);
  }

  void GoesOn() {
    reporter_.Warning(absl::StrCat("the daemon goes on offering it as transfer ", id_,
                                   "; \"bytetorrent remove ", id_, "\" ends that"));
  }

  const DaemonClient& daemon_;
  const uint64_t id_;
  Reporter reporter_;
  std::string name_;
  bool begun_ = false;
  bool paused_told_ = false;
  Instant started_;
  Instant reported_;
  ExitStatus status_ = ExitStatus::kFailed;
  net::Loop loop_;
  net::Timer timer_{loop_, [this] { OnTimer(); }};
};

}  // namespace

absl::StatusOr<std::optional<DaemonClient>> DaemonClient::Find(const ControlOptions& control) {
  if (control.alone) return std::nullopt;
  const bool named = !control.socket.empty();
  const std::string socket = named ? control.socket : DefaultControlSocket();
  if (socket.empty()) return std::nullopt;
  const absl::StatusOr<net::Fd> tried = net::ConnectUnix(socket, kPatience);
  if (tried.ok()) return DaemonClient(socket);
  if (!named) return std::nullopt;
  return absl::UnavailableError(absl::StrCat(
      tried.status().message(), "; start it with \"bytetorrent daemon\", or leave --control out"));
}

absl::StatusOr<Json> DaemonClient::Ask(const char* method, std::string target, std::string body) const {
  net::HttpRequest request;
  request.method = method;
  request.target = std::move(target);
  request.body = std::move(body);
  if (!request.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  const absl::StatusOr<net::HttpResponse> answer = AskSocket(socket_, std::move(request), kPatience);
  if (!answer.ok()) return answer.status();
  if (answer->Header(kApiHeader).empty()) {
    return absl::InternalError(absl::StrCat("what answers on ", socket_, " is no daemon"));
  }
  if (answer->status != 200 && answer->status != 201) {
    return absl::FailedPreconditionError(Printable(ParseReason(answer->body, "error")));
  }
  Json json = Json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return absl::InternalError(absl::StrCat("what answers on ", socket_, " is no daemon"));
  return json;
}

std::string TransferPath(uint64_t id, std::string_view verb) {
  return absl::StrCat("/transfers/", id, verb.empty() ? "" : "/", Absl(verb));
}

ExitStatus Follow(const DaemonClient& daemon, uint64_t id, const char* command, bool json) {
  return Follower(daemon, id, command, json).Run();
}

}  // namespace bt::nodes
