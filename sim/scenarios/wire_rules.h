#pragma once

// WireRules: one connection to an honest client as a peer sees it that has nothing and wants everything,
// judged by the rules of the peer wire (BEP 3, 6, 10, 52). What it says must follow from what it was told on
// this very connection, so no delay makes a rule untrue. Each function that is told of a message gives a
// sentence about what is wrong with it; empty when nothing is.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/slice.h"
#include "core/swarm/wire.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::sim {

class WireRules {
 public:
  // `fast`: the handshake of the one who asks says so. `content`: the bytes in their places.
  WireRules(const Metainfo& metainfo, Slice content, bool fast)
      : metainfo_(metainfo), content_(std::move(content)), fast_(fast), pieces_(metainfo.piece_count()) {}

  std::string OnHandshake(const swarm::wire::Handshake& handshake) const;
  std::string OnMessage(const swarm::wire::Message& message);
  // It was asked for the block, which is not asked for yet, while there was room().
  void Asked(const swarm::wire::BlockSpan& block) { asked_.push_back(block); }

  bool choked() const { return choked_; }
  // What it says it has.
  const PieceMap& pieces() const { return pieces_; }
  bool room() const { return asked_.size() < reqq_.value_or(1); }
  bool IsAsked(const swarm::wire::BlockSpan& block) const;
  // What it was asked for and has neither served nor refused.
  const std::vector<swarm::wire::BlockSpan>& asked() const { return asked_; }

 private:
  std::string Told(PieceMap pieces);
  std::string On(const swarm::wire::Have& have);
  std::string On(const swarm::wire::Piece& piece);
  std::string SetChoked(bool choked);
  bool Answered(const swarm::wire::BlockSpan& block);

  Metainfo metainfo_;
  Slice content_;
  bool fast_;
  bool told_ = false;  // what it has, in a bitfield or its like
  bool choked_ = true;
  std::optional<uint32_t> reqq_;
  PieceMap pieces_;
  std::vector<swarm::wire::BlockSpan> asked_;
};

}  // namespace bt::sim
