#pragma once

// UdpEdge: announces and scrapes over UDP (BEP 15) become calls of the hosted tracker node, through the same
// router as those over HTTP, and its replies the answers. Nothing but a connection id of the same size is
// sent to an address that has not proven to receive what is sent there. Invariant: a request is answered once
// or not at all, and asking again is harmless: a claim is known by whose it is. Loop thread only.

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/highest.h"
#include "core/base/time.h"
#include "core/tracker/source.h"
#include "net/datagrams.h"
#include "nodes/tracker/call_router.h"
#include "nodes/udp_api/connection_ids.h"
#include "nodes/udp_api/udp_api.h"

namespace bt::nodes {

// Requests under way. Announces and scrapes are answered in the step that asks, so that these are reached by
// a node alone that does not answer; what is above is told to ask again.
inline constexpr size_t kUdpCallLimit = 8192;
inline constexpr size_t kUdpCallLimitOfSource = 256;

struct UdpCounters {
  uint64_t connects = 0;
  uint64_t announces = 0;
  uint64_t scrapes = 0;
  uint64_t errors = 0;     // of the answers
  uint64_t malformed = 0;  // dropped
  uint64_t stale = 0;      // a connection id that is none (any more): told to connect again
  uint64_t refused = 0;    // too many under way
};

class UdpEdge final : public CallOrigin {
 public:
  using Send = std::function<void(const net::DatagramRoute& to, std::string_view bytes)>;
  using Clock = std::function<Instant()>;
  // Why the node cannot be asked now, if it cannot.
  using Refusal = std::function<std::optional<std::string>()>;

  // `router` and what the functions refer to outlive it.
  UdpEdge(CallRouter& router, const ConnectionIds::Secret& secret, Clock now, Send send, Refusal refusal);

  void OnDatagram(const net::DatagramRoute& from, std::string_view bytes);

  // For the router; the number is the edge's own.
  void OnReply(uint64_t number, tracker_api::Response response) override;

  const UdpCounters& counters() const { return counters_; }
  size_t under_way() const { return asked_.size(); }
  const Highest& most() const { return most_; }
  const Highest& most_of_source() const { return most_of_source_; }

 private:
  struct Asked {
    net::DatagramRoute from;
    UdpHead head;
    tracker::Source source;
    // Of a scrape: what was asked, and what has been answered. A node is asked for kScrapeLimit at a time.
    std::vector<InfoHash> scraped;
    size_t scraped_so_far = 0;
    std::vector<tracker_api::ScrapeEntry> entries;
  };

  void Ask(Asked asked, tracker_api::Request request);
  static tracker_api::Scrape NextScrape(Asked& asked);
  void Fail(const net::DatagramRoute& to, const UdpHead& head, std::string_view why);

  CallRouter& router_;
  const ConnectionIds ids_;
  const Clock now_;
  const Send send_;
  const Refusal refusal_;
  UdpCounters counters_;
  uint64_t next_ = 1;
  absl::flat_hash_map<uint64_t, Asked> asked_;                        // at most kUdpCallLimit
  absl::flat_hash_map<tracker::Source, size_t> under_way_of_source_;  // of those in asked_
  Highest most_;
  Highest most_of_source_;
};

}  // namespace bt::nodes
