#pragma once

// From tracker URLs to addresses, and from a client machine's messages to HTTP(S) or UDP and back: the client
// side's edge to the cluster.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/swarm/protocol.h"
#include "net/http/client.h"
#include "net/loop.h"
#include "net/tls.h"
#include "nodes/client/udp_trackers.h"
#include "nodes/shared/exit_status.h"
#include "nodes/shared/tracker_url.h"

namespace bt::nodes {

inline constexpr size_t kTrackersLimit = 64;

struct TrackerList {
  std::vector<Address> addresses;      // in order; none twice with one scheme
  std::vector<TrackerScheme> schemes;  // one per address
  std::vector<std::string> names;      // "http://host:port" as given, one per address
  std::vector<std::string> hosts;      // of the names: whom their certificates must be made out to
  std::vector<std::string> warnings;   // lines about URLs that cannot be used
  size_t own = 0;                      // of them, the first so many are the user's
  // Shown to the user's own trackers, and to no other: a torrent may name trackers of whoever made it. Empty:
  // there is none.
  std::string token;
  std::optional<net::TlsContext> tls;  // whose certificates are trusted; absent where no scheme is https
};

// What the trackers are needed for: a transfer announces, and whatever else is asked only a cluster answers,
// over HTTP.
enum class TrackerUse : uint8_t { kTransfer, kCluster };

// Reads URLs (tracker_url.h) and resolves their hosts (blocking): those of `given` (the user's own) first,
// and of each list what is asked over UDP last, because the cluster tells more. kInvalidArgument: a URL of
// `given` cannot be read or used. A URL of `listed` (a torrent's) that cannot, and a host that cannot be
// resolved, are warnings; kNotFound when nothing usable is left.
absl::StatusOr<TrackerList> ResolveTrackers(const std::vector<std::string>& given,
                                            const std::vector<std::string>& listed, TrackerUse use);

// The files that a user names for what is between him and his trackers; empty: none is named.
struct TrustOptions {
  std::string token_file;
  std::string authorities_file;  // of certificates; empty: the system's are trusted

  friend bool operator==(const TrustOptions&, const TrustOptions&) = default;
};
// Reads what the list needs of them. Errors name the file.
absl::Status TakeTrust(const TrustOptions& options, TrackerList& trackers);

// Whom connections speak TLS with, and as whose certificate must say that it is: the list's trackers whose
// scheme is https.
class TlsHosts {
 public:
  explicit TlsHosts(const TrackerList& trackers);
  TlsHosts(const TlsHosts&) = delete;
  TlsHosts& operator=(const TlsHosts&) = delete;

  // One that a tracker with https has named.
  void Add(const Address& address, std::string host) { hosts_.emplace(address, std::move(host)); }
  // For a client that this outlives.
  net::HttpClientLimits limits() const;

 private:
  const std::optional<net::TlsContext> tls_;
  absl::btree_map<Address, std::string> hosts_;  // at most kTrackersLimit
};

// The exit status for what ResolveTrackers refused; and one line about it besides.
ExitStatus TrackersRefused(const absl::Status& why);
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

// Carries Asks to the trackers, over HTTP or UDP; NodeId(i) is the i-th of the list. Loop thread only.
class TrackerAsker {
 public:
  using Deliver = std::function<void(NodeId from, swarm::Protocol::Message message)>;

  // `torrent_file`: the bytes of the torrent a Register is about, if there are any. `announced`: what
  // trackers over UDP are told; without it none of the list is such a one. `deliver` is never called from
  // within Send.
  TrackerAsker(net::Loop& loop, const TrackerList& trackers, std::string torrent_file,
               std::optional<Announced> announced, Deliver deliver);

  void Send(NodeId to, const swarm::Protocol::Message& message);

  // Whether the last answer over HTTP was that a token is missing, nobody's, or lacks a role (401, 403).
  bool permission_denied() const { return permission_denied_; }

 private:
  bool KeepsTokenFrom(NodeId tracker) const { return !token_.empty() && tracker.value() >= own_; }

  std::vector<Address> trackers_;
  const std::vector<std::string> names_;
  const size_t own_;
  const std::string token_;
  std::string torrent_file_;
  Deliver deliver_;
  const TlsHosts tls_hosts_;
  net::HttpClient client_;
  std::optional<UdpTrackers> udp_;  // numbered as the list
  bool permission_denied_ = false;
};

// One request to whichever tracker answers, with failover, on a loop of its own. kUnavailable: none has
// answered within `limit`; the message names each tracker and what it did. kCancelled: SIGINT or SIGTERM has
// ended it, `stopped_by` says which. kPermissionDenied: the token is missing or lacks a role.
absl::StatusOr<tracker_api::Response> AskTrackers(const TrackerList& trackers, tracker_api::Request request,
                                                  std::string torrent_file, Duration limit, int& stopped_by);

}  // namespace bt::nodes
