#include "nodes/client/web_client.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/swarm/web_seed_limits.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

static_assert(kWebSeedsMax == swarm::kWebSeedsLimit);

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

absl::StatusOr<WebSeedList> TakeWebSeeds(const std::vector<std::string>& urls,
                                         const std::string& authorities_file) {
  WebSeedList list;
  bool https = false;
  for (const std::string& text : urls) {
    const absl::StatusOr<WebSeedUrl> url = WebSeedUrl::Parse(text);
    if (!url.ok()) {
      list.warnings.push_back(Message(url.status()));
    } else if (list.seeds.size() == kWebSeedsMax) {
      list.warnings.push_back(absl::StrCat("the torrent names ", urls.size(), " web seeds; the first ",
                                           kWebSeedsMax, " are used"));
      break;
    } else {
      list.seeds.push_back(*url);
      list.names.push_back(Printable(text));
      https |= url->https;
    }
  }
  if (!https) return list;
  absl::StatusOr<net::TlsContext> tls = net::TlsContext::ForClient(authorities_file);
  if (!tls.ok()) return tls.status();
  list.tls = *std::move(tls);
  return list;
}

WebClient::WebClient(net::Loop& loop, const WebSeedList& list, Deliver deliver)
    : loop_(loop), deliver_(std::move(deliver)), later_(loop) {
  for (const WebSeedUrl& url : list.seeds) {
    net::HttpClientLimits limits{.connections_per_server = 1};
    if (url.https) {
      limits.connection.make_filter = [tls = *list.tls, host = url.host.host](
                                          net::FilterSide, const Address&) { return tls.Connect(host); };
    }
    servers_.push_back({url, std::make_unique<net::HttpClient>(loop, limits), nullptr, 0});
  }
}

void WebClient::Send(NodeId to, const swarm::FetchRange& fetch, const Metainfo& metainfo) {
  Server& server = servers_.at(to.value());
  server.client->Cancel(server.request);
  Range range{to, fetch, {}, loop_.now() + swarm::kWebAnswerTimeout, {}, 0};
  const absl::StatusOr<std::string> target = server.url.TargetOf(metainfo, fetch.file);
  if (!target.ok()) {
    return later_.Tell([this, range, why = Message(target.status())] { Fail(range, why); });
  }
  range.target = *target;
  server.lookup =
      std::make_unique<net::Lookup>(loop_, server.url.host, net::ResolveAll,
                                    [this, range](absl::StatusOr<std::vector<Address>> addresses) mutable {
                                      if (!addresses.ok()) return Fail(range, Message(addresses.status()));
                                      range.addresses.assign(addresses->rbegin(), addresses->rend());
                                      Ask(std::move(range));
                                    });
}

// At the next of its addresses.
void WebClient::Ask(Range range) {
  Server& server = servers_[range.seed.value()];
  const swarm::FetchRange& fetch = range.fetch;
  net::HttpRequest request;
  request.method = "GET";
  request.target = range.target;
  request.headers.push_back({"Host", server.url.HostHeader()});
  request.headers.push_back({"Accept-Encoding", "identity"});
  request.headers.push_back(
      {"Range", absl::StrCat("bytes=", fetch.offset, "-", fetch.offset + fetch.length - 1)});
  const Duration left = std::max(Milliseconds(1), range.deadline - loop_.now());
  const Address address = range.addresses.back();
  server.request = server.client->Send(
      address, request, left, [this, range = std::move(range)](absl::StatusOr<net::HttpResponse> response) {
        Answered(range, std::move(response));
      });
}

void WebClient::Fail(const Range& range, std::string why) {
  deliver_(range.seed, {range.fetch.id, std::move(why), {}});
}

void WebClient::Answered(Range range, absl::StatusOr<net::HttpResponse> response) {
  if (!response.ok()) {
    range.addresses.pop_back();
    if (range.addresses.empty() || loop_.now() >= range.deadline) {
      return Fail(range, Message(response.status()));
    }
    return Ask(std::move(range));
  }
  const swarm::FetchRange& fetch = range.fetch;
  if (IsRedirect(response->status)) {
    return Redirected(std::move(range), std::string(response->Header("Location")));
  }
  const uint64_t end = fetch.offset + fetch.length;
  if (response->status == 206) {
    const std::string expected = absl::StrCat("bytes ", fetch.offset, "-", end - 1, "/");
    if (!response->Header("Content-Range").starts_with(expected)) {
      return Fail(range, "it answers with another range than it is asked for");
    }
    return deliver_(range.seed, {fetch.id, {}, Slice::Own(std::move(response->body))});
  }
  // A server that knows no ranges sends the whole of a file, which is no trouble if the file is short.
  if (response->status == 200 && response->body.size() >= end) {
    const Slice whole = Slice::Own(std::move(response->body));
    return deliver_(range.seed, {fetch.id, {}, whole.Sub(fetch.offset, fetch.length)});
  }
  Fail(range, response->status == 200 ? "it has another file there, or knows no ranges"
                                      : absl::StrCat("HTTP ", response->status));
}

void WebClient::Redirected(Range range, std::string_view location) {
  const WebSeedUrl& here = servers_[range.seed.value()].url;
  if (++range.redirects > kRedirectsMax) return Fail(range, "it redirects again and again");
  std::string whole(location);
  if (location.starts_with('/') && !location.starts_with("//")) whole = here.Base() + whole;
  const absl::StatusOr<WebSeedUrl> to = WebSeedUrl::Parse(whole);
  if (!to.ok() || !to->SameServer(here)) {
    return Fail(range, absl::StrCat("it redirects to ", Printable(location),
                                    ", and redirects to other servers are not followed"));
  }
  range.target = to->path;
  Ask(std::move(range));
}

}  // namespace bt::nodes
