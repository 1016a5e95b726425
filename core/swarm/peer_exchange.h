#pragma once

// PeerExchange: what a client and its peers tell each other of whom they are connected with (BEP 11). To
// each peer that takes such messages goes, at most once a minute, what has changed since it was last told.
// What peers tell is a hint: it has a place of its own in the address book, behind everybody else's word.
// Private torrents have no exchange at all. For the client's engine.

#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"

namespace bt::swarm {

class PeerTable;
struct Peer;

// One peer's part of it.
struct PeerExchange {
  static constexpr Duration kInterval = Seconds(60);  // between two that go to one peer, at least
  static constexpr Duration kLook = Seconds(10);      // until it is looked again whether there is news
  // Between two of one peer that are heard. Less than kInterval, because a delayed one is followed by one in
  // time.
  static constexpr Duration kHearInterval = Seconds(45);

  uint8_t id = 0;                   // under which the peer takes them; 0: it does not
  Instant next = Instant::Never();  // when it may be told again
  Instant deaf_until{};             // what comes before is not heard
  std::vector<Address> told;        // what it believes of us, in order; at most kPeerLimit

  // The peer takes them, from now on.
  void Begin(uint8_t its_id, Instant now) {
    if (id == 0) next = now;
    id = its_id;
    if (id == 0) next = Instant::Never();
  }
  // An exchange of the peer's has come: whether to take note of it.
  bool Hears(Instant now) {
    if (now < deaf_until) return false;
    deaf_until = now + kHearInterval;
    return true;
  }
};

// Tells the peer what is new, if it is time to.
void TellPeers(PeerTable& peers, Peer& peer, Instant now);

}  // namespace bt::swarm
