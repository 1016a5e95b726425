#pragma once

// Picker: which block to ask which peer for. Rarest piece first (the first few at random), one peer per
// piece as long as there are pieces enough, so that a piece that fails its hash names its sender; then
// shared pieces, then endgame. It knows the state of every block of the pieces in progress.
// Pure: no effects, costs O(1) per block and O(peers) per piece. The client's engine is its user.

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

struct BlockRef {
  PieceIndex piece;
  uint32_t block = 0;

  friend auto operator<=>(const BlockRef&, const BlockRef&) = default;
};

// Who sent a block: a dialled address is one sender whatever the connection; an accepted connection is a
// sender of its own, because the port it comes from says nothing.
struct Sender {
  Address address;
  LinkId link;

  bool inbound() const { return (link.value() & kInboundLink) != 0; }
  bool Same(const Sender& other) const {
    return address == other.address && inbound() == other.inbound() && (!inbound() || link == other.link);
  }
};

// What came in of one piece: the hash of each block and who sent it.
struct PieceRecord {
  std::vector<Sha256Digest> leaves;
  std::vector<uint16_t> sender_of;  // by block, index into senders
  std::vector<Sender> senders;
};

class Picker {
 public:
  using PeerSlot = uint32_t;  // the engine's dense number of a connected peer
  static constexpr PeerSlot kNobody = UINT32_MAX;
  // From here on they are no peers: who takes whole pieces (TakeWhole), and has deadlines of its own.
  static constexpr PeerSlot kFirstTaker = kNobody - 64;
  static constexpr uint32_t kRandomPieces = 4;      // picked at random before rarest-first begins
  static constexpr uint8_t kEndgameRequesters = 2;  // peers asked for one block at a time
  enum class Arrival : uint8_t { kWanted, kDuplicate };

  // `have`: the pieces that are not to be had: verified already, or wanted by nobody. `metainfo` must outlive
  // the picker.
  Picker(const Metainfo& metainfo, const PieceMap& have, Rng& rng);

  // Availability. A peer's pieces as they become known, and the same again when it leaves.
  void AddPeer(const PieceMap& pieces);
  void RemovePeer(const PieceMap& pieces);
  void PeerHas(PieceIndex piece);
  void PeerLost(PieceIndex piece);

  // Appends up to `count` blocks for `peer` to ask for, marked as requested by it. `may_demand`: whether it
  // is this peer's turn to be asked for a piece that one peer has to deliver alone.
  using MayDemand = absl::FunctionRef<bool(PieceIndex)>;
  void Pick(PeerSlot peer, const PieceMap& pieces, uint32_t count, Instant now, Rng& rng,
            MayDemand may_demand, std::vector<BlockRef>& out);
  // As Pick, but begins no pieces but those of `suggested`, which it uses up from the front, and leaves to
  // others what they could finish. `sources`: a piece that so many peers have, or fewer, has not spread.
  void PickSuggested(PeerSlot peer, const PieceMap& pieces, uint32_t count, Instant now, MayDemand may_demand,
                     uint32_t sources, std::deque<PieceIndex>& suggested, std::vector<BlockRef>& out);
  // Nobody is being asked for any of it, and it is missing.
  bool untouched(PieceIndex piece) const { return state_[piece.value()] == State::kMissing; }
  // Of those the one that fewest peers have, if there is room for one more in progress.
  std::optional<PieceIndex> RarestUntouched() const;
  // All blocks of an untouched piece are marked as requested by `peer`.
  void TakeWhole(PieceIndex piece, PeerSlot peer, Instant now);
  // What was begun and of which nothing is asked for or being stored is untouched again, without the blocks
  // that are there; also what a peer owns that refuses the rest of it.
  void StartIdleOver();
  // What `peer` was to fetch and has not is free again, and its pieces are nobody's.
  void GiveUpAll(PeerSlot peer);
  // How many peers have the untouched piece that fewest have; UINT32_MAX when no piece is untouched.
  uint32_t rarest() const { return order_.empty() ? UINT32_MAX : availability_[order_.front().value()]; }
  // Whether every missing block is being asked for: only then does the endgame begin.
  bool all_asked() const { return order_.empty() && open_.empty(); }
  // Whether Pick would give `peer` anything.
  bool AnythingFor(PeerSlot peer, const PieceMap& pieces, MayDemand may_demand) const;
  // When all is asked: blocks that others were asked for and `already` does not hold.
  void PickEndgame(const PieceMap& pieces, std::span<const BlockRef> already, uint32_t count,
                   std::vector<BlockRef>& out);

  // A request of `block` was given up (timed out, rejected, choked, the peer left).
  void Release(BlockRef block);
  // Its pieces in progress may be finished by others. Pieces demanded of it alone start over.
  void Disown(PeerSlot peer);
  // How many peers are being asked for it.
  uint32_t requesters(BlockRef block) const;

  // The block's bytes are here, from `peer`, who is `sender`. kWanted: it is now being stored.
  Arrival Arrived(BlockRef block, PeerSlot peer, const Sender& sender);
  uint32_t generation(PieceIndex piece) const;
  // Storing has completed. The piece's record when that was its last block; it is then out of the
  // picker's hands until Accept or Reject.
  std::optional<PieceRecord> Stored(BlockRef block, uint32_t generation, const Sha256Digest& leaf);
  void Accept(PieceIndex piece);
  // All blocks are wanted again; `alone`: of one single peer, the first to Pick whose turn it is.
  void Reject(PieceIndex piece, bool alone);
  // A piece that was had (from the start on, or accepted) is not on the disk any more: it is missing again.
  void Lost(PieceIndex piece);
  // Forgets stored blocks of pieces in progress that came from `sender`.
  void Distrust(const Sender& sender);
  // If the piece is demanded of `peer` alone, it starts over; whether it was. The caller gives up what it has
  // asked `peer` for of it, as of those that ExpireAlone returns: they would be counted against the next one.
  bool TakeBack(PeerSlot peer, PieceIndex piece);
  // Pieces demanded of `peer` alone that have not come since `since` start over.
  std::vector<PieceIndex> ExpireAlone(PeerSlot peer, Instant since);

  bool complete() const { return missing_ == 0; }
  uint32_t missing() const { return missing_; }  // pieces not accepted
  // Whether the peer could give anything that is still missing.
  bool Wants(PieceIndex piece) const { return state_[piece.value()] != State::kDone; }
  size_t in_progress() const { return used_; }
  bool any_alone() const { return alone_in_progress_ > 0; }
  // The piece is to come, or was to come, from one peer alone; so until it is accepted.
  bool demanded_alone(PieceIndex piece) const { return demand_alone_[piece.value()]; }
  void CheckInvariants() const;

 private:
  enum class State : uint8_t { kMissing, kInProgress, kChecking, kDone };
  enum class BlockState : uint8_t { kFree, kRequested, kStoring, kStored };
  struct Block {
    BlockState state = BlockState::kFree;
    uint8_t requesters = 0;
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Slot {
    PieceIndex piece;
    uint32_t generation = 0;
    PeerSlot owner = kNobody;
    bool used = false;
    bool alone = false;
    bool discard = false;  // start over as soon as nothing is being stored
    uint32_t free = 0;
    uint32_t storing = 0;
    uint32_t stored = 0;
    uint32_t first_free = 0;   // no free block before it
    uint32_t open_at = kNone;  // place in open_
    Instant since{};
    std::vector<Block> blocks;  // at most kPieceLengthMax of blocks
    PieceRecord record;
  };

  // The missing pieces, not in progress, ordered by availability (see order_).
  void Insert(PieceIndex piece);
  void Remove(PieceIndex piece);
  void Increase(PieceIndex piece);
  void Decrease(PieceIndex piece);
  void SwapPlaces(uint32_t a, uint32_t b);
  uint32_t End(uint32_t availability) const;

  std::optional<PieceIndex> Rarest(const PieceMap& pieces, Rng& rng, MayDemand may_demand) const;
  uint32_t Open(PieceIndex piece, PeerSlot owner, Instant now);
  void Close(uint32_t slot);
  void StartOver(uint32_t slot);
  void Free(uint32_t slot, uint32_t block);
  void SetOpen(uint32_t slot);
  void Take(uint32_t slot, uint32_t count, std::vector<BlockRef>& out);
  using Eligible = absl::FunctionRef<bool(const Slot&)>;
  void TakeOpen(PeerSlot peer, const PieceMap& pieces, size_t target, Eligible eligible,
                std::vector<BlockRef>& out);
  Slot* Find(PieceIndex piece);
  const Slot* Find(PieceIndex piece) const;

  const Metainfo* metainfo_;
  uint32_t missing_ = 0;
  uint32_t done_here_ = 0;
  PieceMap unstarted_;  // what order_ holds
  // One for each piece.
  std::vector<State> state_;
  std::vector<bool> demand_alone_;
  std::vector<uint32_t> availability_;
  std::vector<PieceIndex> order_;
  std::vector<uint32_t> place_;  // piece -> index in order_, kNone when not there
  // At most kPeerLimit and two.
  std::vector<uint32_t> begin_;  // availability a -> index in order_ of the first piece with at least a

  // At most kPiecesInProgressLimit.
  std::vector<Slot> slots_;
  std::vector<uint32_t> unused_;
  std::vector<uint32_t> slot_of_;  // piece -> slot, kNone when not in progress; one for each piece
  std::vector<uint32_t> open_;     // slots with free blocks; at most kPiecesInProgressLimit
  uint32_t used_ = 0;
  uint32_t alone_in_progress_ = 0;
  uint32_t next_generation_ = 1;
};

}  // namespace bt::swarm
