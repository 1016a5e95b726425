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
#include "nodes/shared/exit_status.h"

namespace bt::nodes {

inline constexpr size_t kTrackersLimit = 64;

struct TrackerList {
  std::vector<Address> addresses;     // without repetition, in order
  std::vector<std::string> names;     // "http://host:port" as given, one per address
  std::vector<std::string> warnings;  // lines about URLs that cannot be used
};

// Reads URLs (tracker_url.h) and resolves their hosts (blocking). kInvalidArgument: a URL of `given` (the
// user's own) cannot be read. A URL of `listed` (a torrent's) that cannot be read, and a host that cannot be
// resolved, are warnings; kNotFound when nothing usable is left.
absl::StatusOr<TrackerList> ResolveTrackers(const std::vector<std::string>& given,
                                            const std::vector<std::string>& listed);

// One line about what ResolveTrackers refused, and the exit status for it.
ExitStatus RefuseTrackers(const char* command, const absl::Status& why);

// What each tracker did instead of answering, for the one message that says why nothing came of it.
class TrackerTroubles {
 public:
  explicit TrackerTroubles(TrackerList trackers);

  void Add(NodeId tracker, std::string why);
  // "http://a:1: connection refused; http://b:2: ...": every tracker, in order, with its latest trouble.
  std::string ToString() const;

 private:
  TrackerList trackers_;
  std::vector<std::string> latest_;  // one per address, empty while there is none
};

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

// One request to whichever tracker answers, with failover, on a loop of its own. kUnavailable: none has
// answered within `limit`; the message names each tracker and what it did. kCancelled: SIGINT or SIGTERM has
// ended it, `stopped_by` says which.
absl::StatusOr<tracker_api::Response> AskTrackers(const TrackerList& trackers, tracker_api::Request request,
                                                  std::string torrent_file, Duration limit, int& stopped_by);

}  // namespace bt::nodes
