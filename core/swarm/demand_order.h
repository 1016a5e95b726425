#pragma once

// DemandOrder: whose turn it is when a piece is demanded of one peer alone. A piece that failed its hash is
// next demanded of a single peer; a liar that comes back from a new port after each ban would be given it
// again and again if the first to ask had it. So the turn goes to the peer whose last turn without a good
// piece is longest ago. Accepted connections count as one peer by their IP address, because the port they
// come from says nothing. Pure; Downloads is its user.

#include <absl/container/btree_map.h>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/swarm/picker.h"

namespace bt::swarm {

class DemandOrder {
 public:
  static constexpr size_t kTurnsRemembered = 1024;  // beyond, the oldest turn is forgotten

  // The peer was asked for a piece that it has to deliver alone.
  void TookTurn(const Sender& sender, Instant now);
  // It delivered such a piece, and the piece passed its hash: nothing is held against it.
  void Delivered(const Sender& sender) { last_.erase(Key(sender)); }
  // Its last turn that has not led to a good piece; one that had none comes before all others.
  Instant last_turn(const Sender& sender) const;

 private:
  static Address Key(const Sender& sender);

  absl::btree_map<Address, Instant> last_;
};

}  // namespace bt::swarm
