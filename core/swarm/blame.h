#pragma once

// Blame: who sent the bytes that made a piece fail. Proof is one of two things: every block of the failed
// piece came from one sender; or the piece was had correctly later and a sender's block differs from
// the correct one. Without proof nobody is named. Pure; the client's engine is its user.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <vector>

#include "core/base/ids.h"
#include "core/swarm/picker.h"

namespace bt::swarm {

class Blame {
 public:
  static constexpr size_t kAttemptsPerPiece = 4;
  static constexpr size_t kBlocksRemembered = 1 << 18;  // over all pieces and attempts: about 9 MB

  // A piece failed its hash. The senders this proves to have lied: one or none.
  std::vector<Sender> Failed(PieceIndex piece, PieceRecord record);
  // A piece passed its hash with these leaves. The senders whose earlier blocks it proves wrong.
  std::vector<Sender> Passed(PieceIndex piece, const PieceRecord& record);

  size_t blocks_remembered() const { return blocks_; }

 private:
  void Forget(PieceIndex piece);

  // Failed attempts with several senders, until the piece is had.
  absl::btree_map<PieceIndex, std::vector<PieceRecord>> attempts_;  // at most kBlocksRemembered blocks
  size_t blocks_ = 0;
};

// The distinct senders of a record's blocks.
std::vector<Sender> SendersOf(const PieceRecord& record);

}  // namespace bt::swarm
