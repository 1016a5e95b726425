#pragma once

// DemandOrder: whose turn it is when a piece is demanded of one peer alone. A piece that failed its hash is
// next demanded of a single peer; a liar that comes back from a new port after each ban would be given it
// again and again if the first to ask had it. So the turn goes to the peer whose last turn without a good
// piece is longest ago. Accepted connections count as one peer by their IP address, because the port they
// come from says nothing; among them it goes to the connection that has waited longest. Pure; Downloads is
// its user.

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/time.h"
#include "core/swarm/picker.h"

namespace bt::swarm {

class DemandOrder {
 public:
  // Of what is remembered: peers, and connections. Beyond, the oldest turn is forgotten.
  static constexpr size_t kTurnsRemembered = 1024;
  static constexpr Instant kNoTurn{INT64_MIN};  // before all others

  // The last turn that has not led to a good piece.
  struct Turn {
    Instant of_peer = kNoTurn;
    Instant of_connection = kNoTurn;

    friend auto operator<=>(const Turn&, const Turn&) = default;
  };

  // The peer was asked for a piece that it has to deliver alone, or has lost its turn.
  void TookTurn(const Sender& sender, Instant now);
  // It delivered such a piece, and the piece passed its hash: nothing is held against it.
  void Delivered(const Sender& sender);
  Turn last_turn(const Sender& sender) const;

 private:
  static Address Key(const Sender& sender);

  absl::btree_map<Address, Instant> of_peers_;       // at most kTurnsRemembered
  absl::btree_map<LinkId, Instant> of_connections_;  // at most kTurnsRemembered
};

}  // namespace bt::swarm
