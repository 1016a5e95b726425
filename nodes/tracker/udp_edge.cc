#include "nodes/tracker/udp_edge.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "core/base/check.h"

namespace bt::nodes {

UdpEdge::UdpEdge(CallRouter& router, const ConnectionIds::Secret& secret, Clock now, Send send,
                 Refusal refusal)
    : router_(router),
      ids_(secret),
      now_(std::move(now)),
      send_(std::move(send)),
      refusal_(std::move(refusal)) {}

void UdpEdge::OnDatagram(const net::DatagramRoute& from, std::string_view bytes) {
  const std::optional<UdpHead> head = ReadUdpHead(bytes);
  if (!head || from.peer.port == 0) {
    ++counters_.malformed;
    return;
  }
  if (head->action == UdpAction::kConnect) {
    ++counters_.connects;
    return send_(from, RenderUdpConnected(head->transaction, ids_.Give(from.peer, now_())));
  }
  if (!ids_.Valid(head->connection, from.peer, now_())) {
    ++counters_.stale;
    return Fail(from, *head, kUdpConnectAgain);
  }
  ++(head->action == UdpAction::kAnnounce ? counters_.announces : counters_.scrapes);
  absl::StatusOr<UdpRequest> request = ReadUdpRequest(*head, bytes, from.peer);
  if (!request.ok()) return Fail(from, *head, std::string(request.status().message()));
  if (const std::optional<std::string> why = refusal_()) return Fail(from, *head, *why);
  Asked asked{.from = from, .head = *head, .source = tracker::SourceOf(from.peer)};
  if (auto* announce = std::get_if<tracker_api::Announce>(&*request)) {
    return Ask(std::move(asked), std::move(*announce));
  }
  asked.scraped = std::move(std::get<UdpScrapeRequest>(*request).info_hashes);
  tracker_api::Scrape scrape = NextScrape(asked);
  Ask(std::move(asked), std::move(scrape));
}

tracker_api::Scrape UdpEdge::NextScrape(Asked& asked) {
  const auto begin = asked.scraped.begin() + static_cast<std::ptrdiff_t>(asked.scraped_so_far);
  const size_t count =
      std::min<size_t>(tracker_api::kScrapeLimit, asked.scraped.size() - asked.scraped_so_far);
  asked.scraped_so_far += count;
  return {{begin, begin + static_cast<std::ptrdiff_t>(count)}};
}

void UdpEdge::Ask(Asked asked, tracker_api::Request request) {
  const auto waiting = under_way_of_source_.find(asked.source);
  const bool full = asked_.size() >= kUdpCallLimit ||
                    (waiting != under_way_of_source_.end() && waiting->second >= kUdpCallLimitOfSource);
  const uint64_t number = next_++;
  const std::optional<CallId> call = full ? std::nullopt : router_.Open(*this, number);
  if (!call) {
    ++counters_.refused;
    return Fail(asked.from, asked.head,
                "too many requests are under way at this node; ask another node, or again");
  }
  const tracker::Source source = asked.source;
  asked_.emplace(number, std::move(asked));
  most_.Note(asked_.size());
  most_of_source_.Note(++under_way_of_source_[source]);
  router_.Ask(*call, tracker::Asked{std::move(request), source});
}

void UdpEdge::OnReply(uint64_t number, tracker_api::Response response) {
  const auto found = asked_.find(number);
  CHECK(found != asked_.end());
  Asked asked = std::move(found->second);
  asked_.erase(found);
  if (--under_way_of_source_[asked.source] == 0) under_way_of_source_.erase(asked.source);
  if (asked.head.action == UdpAction::kAnnounce) {
    if (!std::holds_alternative<tracker_api::Peers>(response.body)) ++counters_.errors;
    return send_(asked.from, RenderUdpAnnounced(asked.head.transaction, response, asked.from.peer.is_v4()));
  }
  const auto* scraped = std::get_if<tracker_api::Scraped>(&response.body);
  if (scraped == nullptr) return Fail(asked.from, asked.head, response.reason);
  asked.entries.insert(asked.entries.end(), scraped->entries.begin(), scraped->entries.end());
  if (asked.scraped_so_far == asked.scraped.size()) {
    return send_(asked.from, RenderUdpScraped(asked.head.transaction, asked.scraped, asked.entries));
  }
  tracker_api::Scrape scrape = NextScrape(asked);
  Ask(std::move(asked), std::move(scrape));
}

void UdpEdge::Fail(const net::DatagramRoute& to, const UdpHead& head, std::string_view why) {
  ++counters_.errors;
  send_(to, RenderUdpError(head.transaction, why));
}

}  // namespace bt::nodes
