#pragma once

// UdpAnnouncer: what a client says to one UDP tracker (BEP 15), and when. It fetches a connection id, which
// is good for a minute, announces, and repeats what is not answered after 15 s, 30 s and so on. What the
// tracker answered stands until the interval is over that the tracker has asked for; then the client
// announces anew. Invariant: one request is out at a time, and an answer counts only with that request's
// transaction id. Pure: its user brings the time, draws and datagrams, and looks where a datagram comes from.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "nodes/udp_api/udp_api.h"

namespace bt::nodes {

class UdpAnnouncer {
 public:
  // The tracker's peers, or what it refuses with (kFailedPrecondition).
  using Answer = absl::StatusOr<tracker_api::Peers>;

  static constexpr Duration kFirstPatience = Seconds(15);  // for an answer; doubles with each repetition
  static constexpr uint32_t kDoublings = 8;                // at most, as BEP 15 says: 3,840 s
  static constexpr Duration kConnectionLifetime = Seconds(60);
  static constexpr Duration kIntervalMin = Seconds(5);  // whatever the tracker says
  static constexpr Duration kIntervalMax = Seconds(3600);
  static constexpr Duration kRefusalStands = Seconds(30);

  // `v4`: the tracker's family, which is that of the peers it names.
  UdpAnnouncer(bool v4, const UdpClient& client) : v4_(v4), client_(client) {}

  // The tracker is to be told this; of its event only kStopped counts, the others follow from `left`. Either
  // the answer is known, or it comes of Receive. What was asked before and is not answered is answered with
  // it.
  std::optional<Answer> Ask(const tracker_api::Announce& announce, Instant now);
  // The datagram that is due, if one is.
  std::optional<std::string> Poll(Instant now, Rng& rng);
  // When Poll has something to do next.
  Instant deadline() const;
  // Of a datagram that came from the tracker's address: the answer to what was asked.
  std::optional<Answer> Receive(std::string_view datagram, Instant now);

 private:
  // What a request is: sent again, it keeps its transaction id, so that a late answer counts.
  struct Step {
    std::optional<uint32_t> transaction;  // none: not sent yet
    uint32_t sent = 0;
  };

  tracker_api::AnnounceEvent EventOf(const tracker_api::Announce& announce) const;
  bool connected(Instant now) const { return connection_.has_value() && now < connected_until_; }
  void Begin(const tracker_api::Announce& announce);
  std::optional<Answer> Refused(std::string why, Instant now);
  Answer Announced(tracker_api::Peers peers, Instant now);

  const bool v4_;
  const UdpClient client_;

  std::optional<uint64_t> connection_;
  Instant connected_until_{};
  bool connection_used_ = false;  // an announce was answered under it

  std::optional<tracker_api::Announce> wanted_;  // not answered yet
  Step connect_;
  Step announce_;
  Instant send_at_{};

  tracker_api::Announce last_;  // answered
  bool started_ = false;        // the tracker knows of this client
  std::optional<Answer> latest_;
  Instant stands_until_{};
};

}  // namespace bt::nodes
