#pragma once

// WireConduct: what an honest client says on all of its links, held to what it has heard there (BEP 3, 6, 10,
// 11) and to what it has. It sees what its machine sees, in the same order, so no delay makes a rule untrue:
// whom it asks, for what, and for what no more; which requests it answers, how often and that it does; whom
// it tells of a piece; how many slots it gives, and that none stays free; whom it dials, and whom it says
// it is connected with. After each step.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/swarm/config.h"
#include "core/swarm/peer_exchange.h"
#include "core/swarm/wire.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"
#include "sim/host.h"
#include "sim/world.h"

namespace bt::sim {

class WireConduct {
 public:
  WireConduct(World& world, std::string name, const Metainfo& metainfo)
      : world_(world), name_(std::move(name)), metainfo_(metainfo) {}

  // A life begins.
  void OnStart(const swarm::Config& config);

  // A step begins with this input.
  void OnInput(const LinkUp& up);
  void OnInput(const LinkReceived& received);
  void OnInput(const LinkSent& sent);
  void OnInput(const LinkDown& down);
  // What the step does, by the client's own clock.
  void OnEffect(const LinkEffect& effect, Instant now);
  // It has found out that what has this address lies.
  void OnBanned(const Address& peer) { banned_.insert(peer); }
  // The step is over. `verified` and `unselected` have a bit for each piece or are of size 0, which is none.
  void OnStep(const PieceMap& verified, const PieceMap& unselected, bool downloads);

  // Past both handshakes.
  uint32_t connected() const;
  // Of its file, in this life.
  uint64_t bytes_sent() const { return bytes_sent_; }
  // Bytes that were handed to the link; 0: there is no such link.
  uint64_t queued(LinkId link) const;

 private:
  using BlockSpan = swarm::wire::BlockSpan;
  static constexpr uint32_t kReqqUntold = 250;  // of who does not say (libtorrent's)

  struct Conversation {
    bool dialled = false;
    Address address;  // where the link comes from, or leads to
    Address listens;  // port 0: it has not said
    swarm::wire::PeerId id{};
    swarm::wire::Decoder heard;
    swarm::wire::Decoder said;
    bool fast = false;        // BEP 6, by the peer's handshake
    bool greeted = false;     // the peer has shaken hands
    bool newcomer = false;    // ... in this step
    bool spoken = false;      // the client has
    bool told = false;        // what it has, in a bitfield or its like
    bool introduced = false;  // BEP 10
    bool broken = false;      // it has heard what breaks the protocol
    bool rejected = false;    // it was refused something, ever
    uint64_t payload = 0;     // bytes of a block that are still to be said
    uint64_t queued = 0;
    uint64_t sent = 0;
    uint32_t reqq = kReqqUntold;
    PieceMap theirs;
    PieceMap ours;  // as it was told
    bool theirs_changed = false;
    bool interested = false;
    bool peer_interested = false;
    bool choking = true;
    bool peer_choking = true;
    std::vector<BlockSpan> asked;     // of the peer
    std::vector<BlockSpan> given_up;  // ... and may still be answered
    std::vector<BlockSpan> owed;      // to the peer
    std::vector<BlockSpan> settled;   // in this step: neither asked for nor owed any more
    bool exchanges = false;           // BEP 11
    Instant exchanged{};
    absl::btree_set<Address> exchange;

    bool ready() const { return greeted && spoken; }
  };

  Conversation* Find(LinkId link);
  void Forget(LinkId link);
  void Close(LinkId link);
  void Dial(const LinkConnect& connect);
  void Refused(const Conversation& talk);
  void Greeted(Conversation& talk, const swarm::wire::Handshake& handshake);
  void Spoke(Conversation& talk, const swarm::wire::Handshake& handshake);
  void SayFile(const LinkSendFile& send);
  void Hear(Conversation& talk, const swarm::wire::Message& message);
  void HearBlock(Conversation& talk, const swarm::wire::Piece& piece);
  void HearCancel(Conversation& talk, const BlockSpan& block);
  void Say(Conversation& talk, const Slice& bytes, Instant now);
  void Say(Conversation& talk, const swarm::wire::Message& message, Instant now);
  void SayBlock(Conversation& talk, const BlockSpan& block);
  void Suggest(const Conversation& talk, PieceIndex piece);
  void Ask(Conversation& talk, const BlockSpan& block);
  void Tell(Conversation& talk, const PieceMap& pieces);
  void Exchange(Conversation& talk, const swarm::wire::PeerExchange& exchange, Instant now);
  void JudgeInterest(Conversation& talk, const PieceMap& unselected, bool downloads);
  void JudgeAnswers(const Conversation& talk);
  void JudgeHaves(const PieceMap& before);
  void JudgeArrivals();
  void JudgeRequests(const PieceMap& unselected);
  void JudgeSlots();
  void JudgeExchange(const Conversation& talk);
  void JudgeDials() const;
  void JudgeTwins(LinkId link, const Conversation& talk);
  void JudgeTries(bool downloads);
  size_t links() const;
  BlockSpan Whole(BlockSpan block) const;
  void Fail(const std::string& what);

  World& world_;
  std::string name_;
  const Metainfo& metainfo_;
  swarm::Limits limits_;
  uint32_t slots_ = 0;
  uint32_t links_max_ = 0;
  uint32_t dials_max_ = 0;
  bool limited_ = false;  // bytes per second
  absl::btree_map<LinkId, Conversation> talks_;
  absl::btree_map<LinkId, Address> dialled_;
  std::vector<Address> parted_;         // from, in this step
  std::optional<InfoHash> first_hash_;  // under which it is to meet whom it dials first
  absl::btree_set<Address> tried_;
  // How often they have hung up on its handshake since they last answered one.
  absl::btree_map<Address, uint32_t> refusals_;
  std::vector<Address> refused_;  // in this step: by these, and it has info-hashes left to try
  absl::btree_set<Address> banned_;
  uint64_t bytes_sent_ = 0;
  absl::btree_set<LinkId> touched_;    // in this step
  std::vector<BlockSpan> arrived_;     // in this step, as they were asked for
  std::vector<PieceIndex> asked_for_;  // in this step
  bool slots_touched_ = false;
  PieceMap verified_;
  PieceMap lost_;  // in this life
};

}  // namespace bt::sim
