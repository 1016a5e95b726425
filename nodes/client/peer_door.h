#pragma once

// PeerDoor: the one port at which peers connect, to one transfer or to all of a daemon. A connection belongs
// to the transfer whose info-hash its handshake names (BEP 3: the hash is in the first 48 bytes). The door
// looks at these bytes and leaves them in the socket, so that whoever takes the connection reads it from its
// beginning. Who begins with something else may be speaking Message Stream Encryption: the door speaks it
// with him until he has said which torrent he means, and hands over the filter together with the descriptor.
// Loop thread only.

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
#include "net/connection.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/transport.h"
#include "nodes/client/mse_filter.h"

namespace bt::nodes {

class PeerDoor {
 public:
  // Beyond, who has waited longest of the address with most of them is closed.
  static constexpr size_t kWaitingMax = 256;
  static constexpr Duration kPatience = Seconds(10);  // for the handshake

  struct Counters {
    uint64_t handed_over = 0;
    uint64_t encrypted = 0;  // of those handed over
    uint64_t strangers = 0;  // no handshake, or of a torrent that is not transferred here
    uint64_t given_up = 0;   // too late, or their place was needed
  };
  struct Owners {
    // Whether somebody has taken the connection: then it is theirs.
    std::function<bool(const InfoHash& hash, net::Accepted& accepted, const Address& peer)> hand_over;
    // The info-hashes of all torrents that are transferred here.
    MseFilter::Hashes hashes;
  };

  // `wanted`: where to listen; nullopt: any free port of every address of both families, so that a claim
  // names a place where this process listens whatever family the trackers are reached by.
  static absl::StatusOr<std::unique_ptr<PeerDoor>> Open(net::Loop& loop, const std::optional<Address>& wanted,
                                                        Owners owners);
  PeerDoor(net::Loop& loop, net::Listener listener, Owners owners);

  const Address& address() const { return acceptor_.address(); }
  const Counters& counters() const { return counters_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    net::Fd fd;  // none once there is a transport
    Address peer;
    Instant deadline;
    std::unique_ptr<net::Watcher> watcher;
    std::unique_ptr<net::Transport> transport;  // of who speaks MSE
    MseFilter* filter = nullptr;                // the transport's
  };
  void Take(net::Fd fd, const Address& peer);
  void MakeRoom();
  void OnReady(uint64_t number);
  void BeginMse(uint64_t number, Waiting& waiting);
  void Shake(uint64_t number, Waiting& waiting);
  void HandOver(uint64_t number, const InfoHash& hash, net::Accepted accepted);
  void Close(uint64_t number);
  void OnTimer();

  net::Loop& loop_;
  const Owners owners_;
  Counters counters_;
  uint64_t next_ = 1;
  absl::btree_map<uint64_t, Waiting> waiting_;  // in the order of their arrival, and so of their deadlines
  net::Timer timer_;
  net::Acceptor acceptor_;
};

}  // namespace bt::nodes
