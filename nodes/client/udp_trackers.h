#pragma once

// UdpTrackers: what a client machine asks its trackers, put to those that speak UDP (BEP 15). Such a tracker
// takes announces alone: a claim, its withdrawal and a lookup are each one, and are answered with what it
// said to the last one while that stands (udp_api/announcer.h); a torrent it cannot give. Datagrams count
// from the tracker's own address alone. Loop thread only.

#include <absl/container/btree_map.h>

#include <functional>
#include <optional>
#include <string>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/rng.h"
#include "core/swarm/protocol.h"
#include "net/datagrams.h"
#include "net/loop.h"
#include "nodes/udp_api/announcer.h"

namespace bt::nodes {

// What an announce says that the machine's request does not.
struct Announced {
  // Under which info-hash the torrent is known; nullopt while nobody knows it.
  std::function<std::optional<InfoHash>(const tracker_api::TorrentKey& key)> info_hash;
  // Where this client listens.
  std::function<Address()> listen;
  // Bytes that are missing.
  std::function<uint64_t()> left;
};

class UdpTrackers {
 public:
  using Deliver = std::function<void(NodeId from, swarm::Protocol::Message message)>;

  // `deliver` is never called from within Send.
  UdpTrackers(net::Loop& loop, Announced announced, Deliver deliver);

  void Add(NodeId id, const Address& address);
  bool Has(NodeId id) const { return trackers_.contains(id); }
  // To one that was added.
  void Send(NodeId to, const tracker_api::Ask& ask);

 private:
  // The last ask of a kind; the machine has one of each kind out at a time, and has given up those before.
  using Waiting = std::optional<tracker_api::Ask>;
  struct Tracker {
    Address address;
    UdpAnnouncer announcer;
    Waiting claim;
    Waiting lookup;
  };

  std::optional<tracker_api::Announce> AnnounceOf(const tracker_api::Request& request) const;
  void OnDatagram(const Address& from, std::string_view bytes);
  void Reply(NodeId from, const tracker_api::Ask& ask, const UdpAnnouncer::Answer& answer);
  void Settle(NodeId from, Tracker& tracker, const UdpAnnouncer::Answer& answer);
  void Poll(Tracker& tracker);
  void PollAll();
  net::DatagramSocket* SocketFor(const Address& tracker);

  net::Loop& loop_;
  Announced announced_;
  Deliver deliver_;
  Rng rng_;
  UdpClient client_;
  absl::btree_map<NodeId, Tracker> trackers_;
  std::optional<net::DatagramSocket> v4_;
  std::optional<net::DatagramSocket> v6_;
  net::Timer timer_;
  net::Later later_;
};

}  // namespace bt::nodes
