#include "nodes/client/trackers.h"

#include <absl/algorithm/container.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/swarm/inquiry.h"
#include "net/host.h"
#include "net/resolve.h"
#include "nodes/http_api/client.h"
#include "nodes/shared/text.h"
#include "nodes/shared/tokens.h"
#include "nodes/shared/tracker_url.h"

namespace bt::nodes {

namespace {

// Longer than a machine waits for one tracker: the machine decides, this is only the last resort.
constexpr Duration kHttpTimeout = Seconds(12);

// Another tracker of the list may be one that is shown the token, so this one's refusal is not the last word.
constexpr const char* kNotShown =
    "it wants a token, which is shown to trackers named with --tracker alone: name it so if it is yours";

// Hosts an Inquiry until its note.
struct InquiryEdge {
  TrackerAsker* asker = nullptr;
  TrackerTroubles troubles;
  std::optional<tracker_api::Response> response;
  net::Loop* loop = nullptr;

  void SendMessage(NodeId to, const swarm::Protocol::Message& message) { asker->Send(to, message); }
  void OnReply(CallId, swarm::Protocol::Response) {}
  void OnNote(swarm::Protocol::Note note) {
    if (auto* trouble = std::get_if<swarm::TrackerTrouble>(&note)) {
      troubles.Add(trouble->tracker, std::move(trouble->why));
    } else if (auto* done = std::get_if<swarm::InquiryDone>(&note)) {
      response = std::move(done->response);
      loop->Stop();
    }
  }
  void OnFatal(absl::Status) {}
};

absl::StatusOr<TrackerUrl> UsableUrl(const std::string& text, TrackerUse use) {
  absl::StatusOr<TrackerUrl> url = ParseTrackerUrl(text);
  if (!url.ok() || use == TrackerUse::kTransfer || url->scheme != TrackerScheme::kUdp) return url;
  return absl::InvalidArgumentError(
      absl::StrCat("tracker ", url->Base(),
                   ": over UDP a tracker takes announces alone, and gives no torrents; write http://",
                   url->HostAndPort(), " if it is a node of a cluster"));
}

void Resolve(const TrackerUrl& url, TrackerList& list) {
  const absl::StatusOr<Address> address = net::Resolve(url.HostAndPort());
  if (!address.ok()) {
    list.warnings.push_back(absl::StrCat("tracker ", url.Base(), ": ", Message(address.status())));
    return;
  }
  for (size_t i = 0; i < list.addresses.size(); ++i) {
    const bool same_protocol =
        (list.schemes[i] == TrackerScheme::kUdp) == (url.scheme == TrackerScheme::kUdp);
    if (list.addresses[i] == *address && same_protocol) return;
  }
  if (list.addresses.size() == kTrackersLimit) return;
  list.addresses.push_back(*address);
  list.schemes.push_back(url.scheme);
  list.names.push_back(url.Base());
  list.hosts.push_back(url.host);
}

}  // namespace

absl::StatusOr<TrackerList> ResolveTrackers(const std::vector<std::string>& given,
                                            const std::vector<std::string>& listed, TrackerUse use) {
  TrackerList list;
  std::vector<TrackerUrl> urls;
  for (const std::string& text : given) {
    const absl::StatusOr<TrackerUrl> url = UsableUrl(text, use);
    if (!url.ok()) return url.status();
    urls.push_back(*url);
  }
  const auto own = static_cast<ptrdiff_t>(urls.size());
  for (const std::string& text : listed) {
    const absl::StatusOr<TrackerUrl> url = UsableUrl(text, use);
    if (url.ok()) {
      urls.push_back(*url);
    } else {
      list.warnings.push_back(Message(url.status()));
    }
  }
  const auto over_http = [](const TrackerUrl& url) { return url.scheme != TrackerScheme::kUdp; };
  std::stable_partition(urls.begin(), urls.begin() + own, over_http);
  std::stable_partition(urls.begin() + own, urls.end(), over_http);
  for (size_t i = 0; i < urls.size(); ++i) {
    Resolve(urls[i], list);
    if (i < given.size()) list.own = list.addresses.size();
  }
  if (list.addresses.empty()) {
    return absl::NotFoundError(
        absl::StrCat(list.warnings.empty() ? "no tracker is known" : absl::StrJoin(list.warnings, "; "),
                     "; name one with --tracker http://HOST:PORT"));
  }
  return list;
}

absl::Status TakeTrust(const TrustOptions& options, TrackerList& trackers) {
  if (!options.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(options.token_file);
    if (!token.ok()) return token.status();
    trackers.token = *std::move(token);
  }
  const bool https = absl::c_linear_search(trackers.schemes, TrackerScheme::kHttps);
  if (!https && options.authorities_file.empty()) return absl::OkStatus();
  absl::StatusOr<net::TlsContext> tls = net::TlsContext::ForClient(options.authorities_file);
  if (!tls.ok()) return tls.status();
  trackers.tls = *std::move(tls);
  return absl::OkStatus();
}

TlsHosts::TlsHosts(const TrackerList& trackers) : tls_(trackers.tls) {
  for (size_t i = 0; i < trackers.addresses.size(); ++i) {
    if (trackers.schemes[i] == TrackerScheme::kHttps) Add(trackers.addresses[i], trackers.hosts[i]);
  }
  CHECK(tls_.has_value() || hosts_.empty());
}

net::HttpClientLimits TlsHosts::limits() const {
  net::HttpClientLimits limits;
  limits.connection.make_filter = [this](net::FilterSide,
                                         const Address& peer) -> std::unique_ptr<net::Filter> {
    const auto host = hosts_.find(peer);
    return host == hosts_.end() ? nullptr : tls_->Connect(host->second);
  };
  return limits;
}

ExitStatus TrackersRefused(const absl::Status& why) {
  return absl::IsInvalidArgument(why) ? ExitStatus::kWrongUsage : ExitStatus::kNoTracker;
}

ExitStatus RefuseTrackers(const char* command, const absl::Status& why) {
  return Refuse(command, why, TrackersRefused(why));
}

TrackerTroubles::TrackerTroubles(TrackerList trackers)
    : trackers_(std::move(trackers)), latest_(trackers_.addresses.size()) {}

void TrackerTroubles::Add(NodeId tracker, std::string why) { latest_.at(tracker.value()) = std::move(why); }

std::string TrackerTroubles::ToString() const {
  std::vector<std::string> parts;
  for (size_t i = 0; i < latest_.size(); ++i) {
    parts.push_back(
        absl::StrCat(trackers_.names[i], ": ", latest_[i].empty() ? "no answer yet" : latest_[i]));
  }
  parts.insert(parts.end(), trackers_.warnings.begin(), trackers_.warnings.end());
  return absl::StrJoin(parts, "; ");
}

TrackerAsker::TrackerAsker(net::Loop& loop, const TrackerList& trackers, std::string torrent_file,
                           std::optional<Announced> announced, Deliver deliver)
    : trackers_(trackers.addresses),
      names_(trackers.names),
      own_(trackers.own),
      token_(trackers.token),
      torrent_file_(std::move(torrent_file)),
      deliver_(std::move(deliver)),
      tls_hosts_(trackers),
      client_(loop, tls_hosts_.limits()) {
  if (!announced) return;
  udp_.emplace(loop, *std::move(announced), deliver_);
  for (uint32_t i = 0; i < trackers_.size(); ++i) {
    if (trackers.schemes[i] == TrackerScheme::kUdp) udp_->Add(NodeId(i), trackers_[i]);
  }
}

void TrackerAsker::Send(NodeId to, const swarm::Protocol::Message& message) {
  const auto* ask = std::get_if<tracker_api::Ask>(&message);
  CHECK(ask != nullptr && to.value() < trackers_.size());
  if (udp_ && udp_->Has(to)) return udp_->Send(to, *ask);
  const bool registers = std::holds_alternative<tracker_api::Register>(ask->request);
  net::HttpRequest http =
      RenderRequest(ask->request, registers ? std::string_view(torrent_file_) : std::string_view());
  // A proxy before several services goes by the name that the user or the torrent gave.
  const std::string& name = names_[to.value()];
  http.headers.push_back({"Host", name.substr(name.find("//") + 2)});
  if (!token_.empty() && !KeepsTokenFrom(to)) AddToken(token_, http);
  client_.Send(trackers_[to.value()], http, kHttpTimeout,
               [this, to, id = ask->id, request = ask->request](absl::StatusOr<net::HttpResponse> result) {
                 if (!result.ok()) {
                   return deliver_(to, tracker_api::Unreachable{id, Message(result.status())});
                 }
                 absl::StatusOr<tracker_api::Response> response = ParseResponse(request, *result);
                 const bool wanted = response.ok() && result->status == 401;
                 permission_denied_ = wanted || (response.ok() && result->status == 403);
                 if (wanted && KeepsTokenFrom(to)) response = absl::UnavailableError(kNotShown);
                 if (!response.ok()) {
                   return deliver_(to, tracker_api::Unreachable{id, Message(response.status())});
                 }
                 deliver_(to, tracker_api::Answer{id, *std::move(response)});
               });
}

absl::StatusOr<tracker_api::Response> AskTrackers(const TrackerList& trackers, tracker_api::Request request,
                                                  std::string torrent_file, Duration limit, int& stopped_by) {
  net::Loop loop;
  loop.OnSignals({SIGINT, SIGTERM}, [&](int signal) {
    stopped_by = signal;
    loop.Stop();
  });
  InquiryEdge edge{.troubles = TrackerTroubles(trackers), .loop = &loop};
  using InquiryHost = net::Host<swarm::Inquiry, InquiryEdge>;
  std::unique_ptr<InquiryHost> host;
  TrackerAsker asker(loop, trackers, std::move(torrent_file), std::nullopt,
                     [&host](NodeId from, swarm::Protocol::Message message) {
                       host->Deliver(Received<swarm::Protocol>{from, std::move(message)});
                     });
  edge.asker = &asker;
  host = std::make_unique<InquiryHost>(
      loop,
      std::make_unique<swarm::Inquiry>(static_cast<uint32_t>(trackers.addresses.size()), std::move(request),
                                       limit),
      edge, InquiryHost::Parts{});
  host->Start({});
  if (!edge.response) loop.Run();
  if (!edge.response) return absl::CancelledError("stopped before a tracker answered");
  // An Inquiry asks on when a node is unavailable: this outcome is its deadline's.
  if (edge.response->outcome == tracker_api::Outcome::kUnavailable) {
    return absl::UnavailableError(
        absl::StrCat("no tracker answered within ", limit.seconds(), " s: ", edge.troubles.ToString()));
  }
  if (asker.permission_denied()) return absl::PermissionDeniedError(edge.response->reason);
  return *std::move(edge.response);
}

}  // namespace bt::nodes
