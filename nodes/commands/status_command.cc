// bytetorrent status: what every node of the cluster says about itself, and whether that fits together.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "net/http/client.h"
#include "net/resolve.h"
#include "nodes/client/trackers.h"
#include "nodes/commands/cluster_agreement.h"
#include "nodes/commands/commands.h"
#include "nodes/http_api/client.h"
#include "nodes/http_api/json_api.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/text.h"
#include "nodes/shared/tracker_url.h"

namespace bt::nodes {

namespace {

constexpr Duration kStatusTimeout = Seconds(3);
// What passes when a new leader is there is asked about again, for a few election timeouts in all.
constexpr int kRoundsMax = 4;
constexpr std::chrono::milliseconds kRoundPause{400};
constexpr char kNoQuorum[] = "no quorum: nothing can be registered or offered now";

struct NodeView {
  Address address;
  std::string url;
  std::string body;  // the node's JSON
  std::optional<tracker_api::NodeStatus> status;
  std::string trouble;
  bool refused = false;  // it answers, and does not tell
};

// Asks the trackers that were named and then the nodes they name, which are shown the token as well.
class StatusRound {
 public:
  explicit StatusRound(const TrackerList& trackers)
      : tls_hosts_(trackers), client_(loop_, tls_hosts_.limits()) {
    request_ = RenderRequest(tracker_api::Status{});
    if (!trackers.token.empty()) AddToken(trackers.token, request_);
    loop_.OnSignals({SIGINT, SIGTERM}, [this](int signal) {
      stopped_by_ = signal;
      loop_.Stop();
    });
    for (size_t i = 0; i < trackers.addresses.size(); ++i) Ask(trackers.addresses[i], trackers.names[i]);
  }

  std::vector<NodeView> Run() {
    if (waiting_ > 0) loop_.Run();
    return std::move(views_);
  }
  // The signal that has ended it; 0: none.
  int stopped_by() const { return stopped_by_; }

 private:
  void Ask(const Address& address, std::string url) {
    const size_t index = views_.size();
    views_.push_back({address, std::move(url), {}, {}, "no answer"});
    ++waiting_;
    client_.Send(address, request_, kStatusTimeout, [this, index](absl::StatusOr<net::HttpResponse> result) {
      OnAnswer(index, std::move(result));
      if (--waiting_ == 0) loop_.Stop();
    });
  }

  void OnAnswer(size_t index, absl::StatusOr<net::HttpResponse> result) {
    if (!result.ok()) {
      views_[index].trouble = Message(result.status());
      return;
    }
    absl::StatusOr<tracker_api::Response> response = ParseResponse(tracker_api::Status{}, *result);
    if (!response.ok() || !std::holds_alternative<tracker_api::NodeStatus>(response->body)) {
      views_[index].trouble = response.ok() ? Printable(response->reason) : Message(response.status());
      views_[index].refused = response.ok() && response->outcome == tracker_api::Outcome::kInvalid;
      return;
    }
    views_[index].status = std::get<tracker_api::NodeStatus>(std::move(response->body));
    views_[index].body = std::move(result->body);
    for (const ClusterNode& node : ParseClusterNodes(views_[index].body)) {
      if (node.id == views_[index].status->node) continue;  // this is the one that answered, by whatever name
      AskNamed(node.client, views_[index].url.starts_with(SchemePrefix(TrackerScheme::kHttps)));
    }
  }

  // A node of the cluster that another one has named, which is spoken to as that one is.
  void AskNamed(const std::string& host_and_port, bool tls) {
    const absl::StatusOr<Address> address = net::Resolve(host_and_port);
    std::string url = absl::StrCat(tls ? "https://" : "http://", host_and_port);
    const bool known = std::any_of(views_.begin(), views_.end(), [&](const NodeView& view) {
      return view.url == url || (address.ok() && view.address == *address);
    });
    if (known || views_.size() == kTrackersLimit) return;
    if (address.ok() && tls) tls_hosts_.Add(*address, net::HostAndPort::Parse(host_and_port)->host);
    if (address.ok()) return Ask(*address, std::move(url));
    views_.push_back({{}, std::move(url), {}, {}, Message(address.status())});
  }

  net::Loop loop_;
  TlsHosts tls_hosts_;
  net::HttpClient client_;
  net::HttpRequest request_;
  std::vector<NodeView> views_;
  size_t waiting_ = 0;
  int stopped_by_ = 0;
};

// The level in force, and which ones the node reads.
std::string LevelText(const tracker_api::NodeStatus& status) {
  if (status.newest_level == 0) return "-";  // of an older release
  return absl::StrCat(status.level, " of ", status.oldest_level, "-", status.newest_level);
}

void PrintTable(const std::vector<NodeView>& views) {
  std::printf("%-5s %-10s %-28s %8s %10s %10s %9s %8s  %-16s  %-10s %s\n", "NODE", "ROLE", "TRACKER",
              "BALLOT", "CHOSEN", "APPLIED", "TORRENTS", "CLAIMS", "DIGEST", "RELEASE", "LEVEL");
  for (const NodeView& view : views) {
    if (!view.status) {
      std::printf("%-5s %-10s %-28s %s\n", "-", "no answer", view.url.c_str(), view.trouble.c_str());
      continue;
    }
    const tracker_api::NodeStatus& status = *view.status;
    std::printf("%s\n", absl::StrFormat("%-5d %-10s %-28s %8d %10d %10d %9d %8d  %016x  %-10s %s",
                                        status.node.value(), tracker_api::RoleName(status.role), view.url,
                                        status.ballot_round, status.chosen.value(), status.applied.value(),
                                        status.torrents, status.claims, status.registry_digest,
                                        Printable(status.program), LevelText(status))
                            .c_str());
  }
}

// What is agreed is the same at all nodes, and is told once.
void PrintAlarms(const std::vector<NodeView>& views) {
  std::set<std::string> told;
  for (const NodeView& view : views) {
    if (!view.status) continue;
    for (const tracker_api::Alarm& alarm : view.status->alarms) {
      if (told.insert(alarm.name).second) std::printf("alarm: %s\n", Printable(alarm.text).c_str());
    }
  }
}

std::vector<Disagreement> Compared(const std::vector<NodeView>& views) {
  std::vector<NodeAnswer> answers;
  for (const NodeView& view : views) {
    if (view.status) answers.push_back({view.url, ParseClusterId(view.body), *view.status});
  }
  return Disagreements(answers);
}

struct Settled {
  std::vector<NodeView> views;
  std::vector<Disagreement> disagreements;
  int stopped_by = 0;
};

// The nodes' answers, and what of their disagreements stays.
Settled AskUntilSettled(const TrackerList& trackers) {
  for (int round = 1;; ++round) {
    StatusRound asking(trackers);
    std::vector<NodeView> views = asking.Run();
    std::vector<Disagreement> found = Compared(views);
    const bool passing =
        std::any_of(found.begin(), found.end(), [](const auto& each) { return each.passing; });
    if (!passing || round == kRoundsMax || asking.stopped_by() != 0) {
      return {std::move(views), std::move(found), asking.stopped_by()};
    }
    std::this_thread::sleep_for(kRoundPause);
  }
}

}  // namespace

ExitStatus RunStatus(const StatusOptions& options) {
  const std::vector<std::string> given =
      options.trackers.empty() ? std::vector<std::string>{kDefaultTracker} : options.trackers;
  absl::StatusOr<TrackerList> trackers = ResolveTrackers(given, {}, TrackerUse::kCluster);
  if (!trackers.ok()) return RefuseTrackers("status", trackers.status());
  const absl::Status trust = TakeTrust(options.trust, *trackers);
  if (!trust.ok()) return Refuse("status", trust);
  auto [views, disagreements, stopped_by] = AskUntilSettled(*trackers);
  if (stopped_by != 0) {
    return Refuse("status", absl::CancelledError("stopped before every node answered"),
                  StoppedBy(stopped_by));
  }
  std::stable_sort(views.begin(), views.end(), [](const NodeView& a, const NodeView& b) {
    const NodeId last = NodeId::Max();
    return (a.status ? a.status->node : last) < (b.status ? b.status->node : last);
  });
  size_t answered = 0;
  bool quorum = false;
  for (const NodeView& view : views) {
    answered += view.status ? 1 : 0;
    quorum = quorum || (view.status && view.status->has_quorum);
    if (!options.json) continue;
    Json line = {{"tracker", view.url}, {"reachable", view.status.has_value()}};
    if (view.status) {
      line["status"] = Json::parse(view.body, nullptr, /*allow_exceptions=*/false);
    } else {
      line["why"] = view.trouble;
    }
    std::printf("%s\n", JsonText(line).c_str());
  }
  if (!options.json) {
    PrintTable(views);
    std::printf("%zu of %zu nodes answer; %s\n", answered, views.size(),
                quorum ? "the cluster has a quorum" : kNoQuorum);
  }
  if (!options.json) PrintAlarms(views);
  const auto refused =
      std::find_if(views.begin(), views.end(), [](const auto& view) { return view.refused; });
  if (answered == 0 && refused != views.end()) {
    return Refuse("status",
                  absl::PermissionDeniedError(absl::StrCat(refused->url, " refuses: ", refused->trouble)));
  }
  if (answered == 0) {
    return Refuse("status",
                  absl::UnavailableError("no tracker answers; start one with bytetorrent-tracker or name "
                                         "another with --tracker http://HOST:PORT"),
                  ExitStatus::kNoTracker);
  }
  ExitStatus status = quorum ? ExitStatus::kDone : ExitStatus::kFailed;
  if (!quorum && options.json) status = Refuse("status", absl::UnavailableError(kNoQuorum));
  for (const Disagreement& disagreement : disagreements) {
    status = Refuse("status", absl::DataLossError(Printable(disagreement.sentence)));
  }
  return status;
}

}  // namespace bt::nodes
