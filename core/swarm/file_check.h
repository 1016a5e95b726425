#pragma once

// FileCheck: proves what a file on disk holds. Reads it back in large ranges, several at a time, and judges
// each piece by its leaves (BEP 52) and, where asked, by its SHA-1 as well (BEP 3), so that an offering
// peer shows that a torrent's two sides agree. The client's engine is its user.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/swarm/protocol.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

// Tokens of HashRange operations have this bit, those of StoreBlock do not.
inline constexpr uint64_t kCheckToken = uint64_t{1} << 63;

class FileCheck {
 public:
  static constexpr uint64_t kRangeBytes = 4 << 20;  // per range, or one piece if that is longer
  static constexpr size_t kGroupsInFlight = 4;

  struct Verdict {
    PieceIndex piece;
    bool good = false;
    std::string why;  // when not good; at most one sentence
  };

  // `metainfo` must outlive this. `both`: SHA-1 too, if the torrent has it.
  FileCheck(const Metainfo& metainfo, bool both);

  // Adds pieces to be checked and begins. What is under way of them does not count any more.
  void Add(const PieceMap& pieces, Context<Protocol>& context);
  // What a completed range has decided, in order of pieces; begins the next.
  std::vector<Verdict> Hashed(const RangeHashed& hashed, Context<Protocol>& context);
  bool idle() const { return groups_.empty() && waiting_.none(); }

 private:
  struct Group {
    PieceIndex first;
    uint32_t count = 0;
    uint32_t pending = 0;  // ranges not hashed yet
    // One sentence for each piece, at most kRangeBytes of them.
    std::vector<std::string> why;  // by piece; empty: nothing against it
    // One for each piece.
    std::vector<bool> outdated;  // by piece: it was added again while its hash was under way
  };

  void Begin(Context<Protocol>& context);
  void JudgeLeaves(Group& group, const RangeHashed& hashed) const;
  void JudgeSha1(Group& group, uint32_t place, const RangeHashed& hashed) const;
  uint64_t Offset(uint32_t piece) const { return uint64_t{piece} * metainfo_->piece_length; }

  const Metainfo* metainfo_;
  bool both_;
  PieceMap waiting_;
  PieceMap alone_;           // read one by one: something in a range with them could not be read
  uint32_t next_piece_ = 0;  // nothing waits before it
  uint64_t next_serial_ = 1;
  absl::btree_map<uint64_t, Group> groups_;  // by serial; at most kGroupsInFlight
};

}  // namespace bt::swarm
