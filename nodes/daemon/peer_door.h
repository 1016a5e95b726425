#pragma once

// PeerDoor: the one port at which the peers of all transfers of a daemon connect. A connection belongs to the
// transfer whose info-hash its handshake names (BEP 3: the hash is in the first 48 bytes). The door looks at
// these bytes and leaves them in the socket, so that whoever takes the connection reads it from its
// beginning. Loop thread only.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/tracker_api/tracker_api.h"
#include "net/acceptor.h"
#include "net/fd.h"
#include "net/loop.h"

namespace bt::nodes {

class PeerDoor {
 public:
  static constexpr size_t kWaitingMax = 512;          // beyond, who has waited longest is closed
  static constexpr Duration kPatience = Seconds(10);  // for the handshake

  struct Counters {
    uint64_t handed_over = 0;
    uint64_t strangers = 0;  // no handshake, or of a torrent that is not transferred here
    uint64_t given_up = 0;   // too late, or their place was needed
  };
  // Whether somebody has taken the connection: then the descriptor is theirs.
  using HandOver = std::function<bool(const InfoHash& hash, net::Fd& fd, const Address& peer)>;

  // `wanted`: where to listen; nullopt: every address, any free port.
  static absl::StatusOr<std::unique_ptr<PeerDoor>> Open(net::Loop& loop, const std::optional<Address>& wanted,
                                                        HandOver hand_over);
  PeerDoor(net::Loop& loop, net::Listener listener, HandOver hand_over);

  const Address& address() const { return acceptor_.address(); }
  const Counters& counters() const { return counters_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    net::Fd fd;
    Address peer;
    Instant deadline;
    std::unique_ptr<net::Watcher> watcher;
  };
  void Take(net::Fd fd, const Address& peer);
  void OnReady(uint64_t number);
  void OnTimer();

  net::Loop& loop_;
  const HandOver hand_over_;
  Counters counters_;
  uint64_t next_ = 1;
  absl::btree_map<uint64_t, Waiting> waiting_;  // in the order of their arrival, and so of their deadlines
  net::Timer timer_;
  net::Acceptor acceptor_;
};

}  // namespace bt::nodes
