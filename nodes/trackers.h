#pragma once

// From tracker URLs to addresses, and from a client machine's messages to HTTP and back: the client side's
// edge to the cluster.

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/swarm/protocol.h"
#include "net/http/client.h"
#include "net/loop.h"

namespace bt::nodes {

inline constexpr size_t kTrackersLimit = 64;

struct TrackerList {
  std::vector<Address> addresses;     // without repetition, in order
  std::vector<std::string> names;     // "http://host:port" as given, one per address
  std::vector<std::string> warnings;  // lines about URLs that cannot be used
};

// "http://HOST:PORT", also with a path such as /announce; names are resolved (blocking). A URL of `given`
// (the user's own) that cannot be used is an error, one of `listed` (a torrent's) a warning. kNotFound when
// nothing usable is left.
absl::StatusOr<TrackerList> ResolveTrackers(const std::vector<std::string>& given,
                                            const std::vector<std::string>& listed);

// Carries Asks to the trackers over HTTP; NodeId(i) is the i-th of the list. Loop thread only.
class TrackerAsker {
 public:
  using Deliver = std::function<void(NodeId from, swarm::Protocol::Message message)>;

  // `torrent_file`: the bytes of the torrent a Register is about, if there are any. `deliver` is never
  // called from within Send.
  TrackerAsker(net::Loop& loop, std::vector<Address> trackers, std::string torrent_file, Deliver deliver);

  void Send(NodeId to, const swarm::Protocol::Message& message);

 private:
  std::vector<Address> trackers_;
  std::string torrent_file_;
  Deliver deliver_;
  net::HttpClient client_;
};

// One request to whichever tracker answers, with failover, on a loop of its own. SIGINT ends it with
// kCancelled.
absl::StatusOr<tracker_api::Response> AskTrackers(const TrackerList& trackers, tracker_api::Request request,
                                                  std::string torrent_file, Duration limit);

}  // namespace bt::nodes
