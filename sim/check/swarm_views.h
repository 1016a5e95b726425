#pragma once

// SwarmViews: what clients that can reach each other believe of each other once nothing moves any more: each
// knows what the other has and it lacks, is interested exactly in those it knows to have such, and both agree
// on who chokes whom. And nobody is starved: what one of them has, every one that downloads has. A world puts
// the views together when it has been left in peace for long enough.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/torrent/piece_map.h"

namespace bt::sim {

struct SwarmView {
  struct Peer {
    std::array<uint8_t, 20> id{};
    PieceMap pieces;
    bool am_interested = false;
    bool peer_interested = false;
    bool am_choking = true;
    bool peer_choking = true;
  };
  std::string name;
  std::array<uint8_t, 20> id{};
  PieceMap verified;
  bool downloads = false;
  std::vector<Peer> peers = {};
  bool trusted = true;       // what it has, others take from it
  PieceMap unselected = {};  // it does not want them; of size 0: it wants all
};

// What all of them have together.
PieceMap Available(const std::vector<SwarmView>& views);
// The first that lacks something another has; empty when nobody does.
std::string Starved(const std::vector<SwarmView>& views);
// The first two that disagree; empty when nobody does. Peers that are none of `views` may think what they
// want.
std::string Disagreement(const std::vector<SwarmView>& views);

}  // namespace bt::sim
