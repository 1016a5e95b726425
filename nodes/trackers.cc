#include "nodes/trackers.h"

#include <absl/strings/str_cat.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "core/swarm/inquiry.h"
#include "net/host.h"
#include "net/socket.h"
#include "nodes/http_api.h"
#include "nodes/text.h"

namespace bt::nodes {

namespace {

// Longer than a machine waits for one tracker: the machine decides, this is only the last resort.
constexpr Duration kHttpTimeout = Seconds(12);

struct ParsedUrl {
  Address address;
  std::string name;
};

absl::StatusOr<ParsedUrl> ParseUrl(const std::string& url) {
  const std::string shown = Printable(url);
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return absl::InvalidArgumentError(
        absl::StrCat("tracker ", shown, ": only http://HOST:PORT can be asked"));
  }
  const std::string host_and_port =
      url.substr(kScheme.size(), url.find('/', kScheme.size()) - kScheme.size());
  if (host_and_port.find(':') == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("tracker ", shown, ": the port is missing, write http://HOST:PORT"));
  }
  const absl::StatusOr<Address> address = net::Resolve(host_and_port);
  if (!address.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("tracker ", shown, ": ", address.status().message()));
  }
  if (address->port == 0)
    return absl::InvalidArgumentError(absl::StrCat("tracker ", shown, ": port 0 is no port"));
  return ParsedUrl{*address, absl::StrCat("http://", Printable(host_and_port))};
}

// Hosts an Inquiry until its note.
struct InquiryEdge {
  TrackerAsker* asker = nullptr;
  std::optional<tracker_api::Response> response;
  net::Loop* loop = nullptr;

  void SendMessage(NodeId to, const swarm::Protocol::Message& message) { asker->Send(to, message); }
  void OnReply(CallId, swarm::Protocol::Response) {}
  void OnNote(swarm::Protocol::Note note) {
    if (auto* done = std::get_if<swarm::InquiryDone>(&note)) {
      response = std::move(done->response);
      loop->Stop();
    }
  }
  void OnFatal(absl::Status) {}
};

}  // namespace

absl::StatusOr<TrackerList> ResolveTrackers(const std::vector<std::string>& given,
                                            const std::vector<std::string>& listed) {
  TrackerList list;
  const auto add = [&list](const ParsedUrl& url) {
    const bool known =
        std::find(list.addresses.begin(), list.addresses.end(), url.address) != list.addresses.end();
    if (known || list.addresses.size() == kTrackersLimit) return;
    list.addresses.push_back(url.address);
    list.names.push_back(url.name);
  };
  for (const std::string& text : given) {
    const absl::StatusOr<ParsedUrl> url = ParseUrl(text);
    if (!url.ok()) return url.status();
    add(*url);
  }
  for (const std::string& text : listed) {
    const absl::StatusOr<ParsedUrl> url = ParseUrl(text);
    if (url.ok()) {
      add(*url);
    } else {
      list.warnings.push_back(Message(url.status()));
    }
  }
  if (list.addresses.empty()) {
    return absl::NotFoundError(absl::StrCat(list.warnings.empty() ? "no tracker is known" : list.warnings[0],
                                            "; name one with --tracker http://HOST:PORT"));
  }
  return list;
}

TrackerAsker::TrackerAsker(net::Loop& loop, std::vector<Address> trackers, std::string torrent_file,
                           Deliver deliver)
    : trackers_(std::move(trackers)),
      torrent_file_(std::move(torrent_file)),
      deliver_(std::move(deliver)),
      client_(loop) {}

void TrackerAsker::Send(NodeId to, const swarm::Protocol::Message& message) {
  const auto* ask = std::get_if<tracker_api::Ask>(&message);
  CHECK(ask != nullptr && to.value() < trackers_.size());
  const bool registers = std::holds_alternative<tracker_api::Register>(ask->request);
  const net::HttpRequest http =
      ToHttp(ask->request, registers ? std::string_view(torrent_file_) : std::string_view());
  client_.Send(trackers_[to.value()], http, kHttpTimeout,
               [this, to, id = ask->id, request = ask->request](absl::StatusOr<net::HttpResponse> result) {
                 if (!result.ok()) {
                   return deliver_(to, tracker_api::Unreachable{id, Message(result.status())});
                 }
                 absl::StatusOr<tracker_api::Response> response = FromHttp(request, *result);
                 if (!response.ok()) {
                   return deliver_(to, tracker_api::Unreachable{id, Message(response.status())});
                 }
                 deliver_(to, tracker_api::Answer{id, *std::move(response)});
               });
}

absl::StatusOr<tracker_api::Response> AskTrackers(const TrackerList& trackers, tracker_api::Request request,
                                                  std::string torrent_file, Duration limit) {
  net::Loop loop;
  loop.OnSignals({SIGINT, SIGTERM}, [&loop](int) { loop.Stop(); });
  InquiryEdge edge;
  edge.loop = &loop;
  using InquiryHost = net::Host<swarm::Inquiry, InquiryEdge>;
  std::unique_ptr<InquiryHost> host;
  TrackerAsker asker(loop, trackers.addresses, std::move(torrent_file),
                     [&host](NodeId from, swarm::Protocol::Message message) {
                       host->Deliver(Received<swarm::Protocol>{from, std::move(message)});
                     });
  edge.asker = &asker;
  host = std::make_unique<InquiryHost>(
      loop,
      std::make_unique<swarm::Inquiry>(static_cast<uint32_t>(trackers.addresses.size()), std::move(request),
                                       limit),
      edge, net::HostParts{});
  host->Start({});
  if (!edge.response) loop.Run();
  if (!edge.response) return absl::CancelledError("stopped before a tracker answered");
  return *std::move(edge.response);
}

}  // namespace bt::nodes
