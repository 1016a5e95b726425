#pragma once

// The client's engine: joins tracker session, address book, peers, picker, blame and file into one machine.
// Private to core/swarm. Its parts by file: engine.cc (life: start, file, trackers, stop), engine_peers.cc
// (links, handshakes, dialling, choking), engine_download.cc (requests, blocks, verdicts, bans),
// engine_upload.cc (serving), engine_messages.cc (what each wire message does).

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/swarm/address_book.h"
#include "core/swarm/blame.h"
#include "core/swarm/client.h"
#include "core/swarm/file_check.h"
#include "core/swarm/info_hashes.h"
#include "core/swarm/peer.h"
#include "core/swarm/picker.h"
#include "core/swarm/tracker_session.h"
#include "core/swarm/wire.h"

namespace bt::swarm {

class Client::Engine {
 public:
  using Ctx = Context<swarm::Protocol>;
  using Timer = swarm::Protocol::Timer;
  enum class Phase : uint8_t {
    kFetching,
    kVerifying,
    kDownloading,
    kFinishing,
    kOffering,
    kStopping,
    kStopped,
  };

  static constexpr uint32_t kEnoughPeers = 8;  // connected: no hurry to look for more
  static constexpr uint32_t kOfferDials =
      4;  // in vain, then an offer leaves an address alone until it is listed anew

  explicit Engine(Config config);

  void Step(const Input<swarm::Protocol>& input, Ctx& context);
  void CheckInvariants() const;
  uint64_t Digest() const;

  const Config& config() const { return config_; }
  const Metainfo* metainfo() const { return metainfo_.get(); }
  const PieceMap& verified() const { return verified_; }
  swarm::Progress progress() const;
  Phase phase() const { return phase_; }
  bool IsBanned(const Address& peer) const { return book_.banned(peer); }

 private:
  // --- engine.cc: life ---
  void Handle(const Started& input, Ctx& context);
  void Handle(const Received<swarm::Protocol>& input, Ctx& context);
  void Handle(const TimerFired<swarm::Protocol>& input, Ctx& context);
  void Handle(const Call<swarm::Protocol>& input, Ctx& context);
  void Handle(const CallCancelled& input, Ctx& context);
  void Handle(const WriteDone&, Ctx&) {}
  void Handle(const FileCompleted<swarm::Protocol>& input, Ctx& context) {
    std::visit([&](const auto& done) { Handle(done, context); }, input.what);
  }
  void Handle(const FileOpened& input, Ctx& context);
  void Handle(const RangeHashed& input, Ctx& context);
  void Handle(const Checkpointed& input, Ctx& context);
  void Handle(const FileFinished& input, Ctx& context);
  void TorrentArrived(Metainfo metainfo, Ctx& context);
  void Fetched(tracker_api::Response response, Ctx& context);
  void TrackerEvent(TrackerSession::Event event, Ctx& context);
  void CheckedPiece(FileCheck::Verdict verdict, Ctx& context);
  void ReadBack(FileCheck::Verdict verdict, Ctx& context);
  void Ready(Ctx& context);
  void FinishIfProven(Ctx& context);
  void ProgressMade(Ctx& context);
  void SaveProgress(Ctx& context);
  void Fail(std::string reason, Ctx& context, FailureCause cause = FailureCause::kOther);
  void BeginStop(Ctx& context);
  void MaybeStopped(Ctx& context);
  void EndOfStep(Ctx& context);

  // --- engine_peers.cc: links ---
  void Handle(const LinkUp& input, Ctx& context);
  void Handle(const LinkReceived& input, Ctx& context);
  void Handle(const LinkSent& input, Ctx& context);
  void Handle(const LinkDown& input, Ctx& context);
  Peer* FindPeer(LinkId link);
  Peer& AddPeer(LinkId link, const Address& address, Instant now);
  // Takes the peer off every table. The link itself is the caller's business.
  void RemovePeer(Peer& peer, Ctx& context);
  void Disconnect(Peer& peer, std::string why, bool fault, Ctx& context);
  void Leave(Peer& peer, std::string why, bool fault, Ctx& context);
  void ProtocolError(Peer& peer, const char* what, Ctx& context);
  void Dial(Ctx& context);
  bool Dials() const { return phase_ == Phase::kDownloading || phase_ == Phase::kOffering; }
  bool ConnectedTo(const Address& address) const;
  void FreeAddress(const Peer& peer, bool fault, Ctx& context);
  void Heard(const std::vector<tracker_api::PeerClaim>& peers, Ctx& context);
  void SendHandshake(Peer& peer, const InfoHashes::Known& under);
  void Greet(Peer& peer, const wire::Handshake& handshake, Ctx& context);
  bool KeepNewcomer(Peer& newcomer, Ctx& context);
  void PeerTimers(Ctx& context);
  Instant PeerDeadline(const Peer& peer) const;
  void Touch(const Peer& peer, Ctx& context);
  void Queue(Peer& peer, const wire::Message& message) {
    if (peer.outgoing.empty()) unflushed_.push_back(peer.slot);
    wire::Append(message, peer.outgoing);
  }
  void Flush(Peer& peer, Ctx& context);
  void SetChoking(Peer& peer, bool choking);
  void FillSlots(Ctx& context);
  void ChokeRound(Ctx& context);
  void DropSeeders(Ctx& context);

  // --- engine_messages.cc: the wire ---
  void OnMessage(Peer& peer, const wire::Message& message, Ctx& context);
  void OnPieces(Peer& peer, PieceMap pieces, Ctx& context);
  // Its pieces begin to count for the picker and for our interest.
  void AdoptPieces(Peer& peer);
  void OnHave(Peer& peer, PieceIndex piece, Ctx& context);
  void OnReject(Peer& peer, const wire::BlockSpan& span, Ctx& context);
  void UpdateInterest(Peer& peer);

  // --- engine_download.cc ---
  void Handle(const BlockStored& input, Ctx& context);
  void OnBlock(Peer& peer, const wire::Piece& piece, Ctx& context);
  void CancelElsewhere(BlockRef block, const Peer& except);
  uint32_t FairShare() const;
  void Refill(Peer& peer, Ctx& context);
  void RefillAll(Ctx& context);
  void GiveUpRequests(Peer& peer, bool tell);
  void Snub(Peer& peer, Ctx& context);
  void Judge(PieceIndex piece, PieceRecord record, Ctx& context);
  void HavePiece(PieceIndex piece, Ctx& context);
  void Convict(const Sender& sender, PieceIndex piece, Ctx& context);
  wire::BlockSpan SpanOf(BlockRef block) const;
  uint32_t BlockLength(BlockRef block) const;

  // --- engine_upload.cc ---
  void Handle(const ReadFailed& input, Ctx& context);
  void OnRequest(Peer& peer, const wire::BlockSpan& span, Ctx& context);
  void OnCancel(Peer& peer, const wire::BlockSpan& span);
  void Serve(Peer& peer, Ctx& context);
  void SendBlock(Peer& peer, const wire::BlockSpan& span, Ctx& context);

  bool speaking() const { return phase_ < Phase::kStopping; }
  bool complete() const { return metainfo_ != nullptr && verified_.all(); }

  Config config_;
  Phase phase_ = Phase::kFetching;
  std::unique_ptr<const Metainfo> metainfo_;  // its address is shared with picker and check
  InfoHashes info_hashes_;
  PieceMap verified_;
  // Of a download's verified pieces those that only the last checkpoint vouches for: they are claimed and
  // served, but the file does not get its final name before they have been read back and hashed.
  PieceMap unproven_;
  wire::PeerId self_id_{};

  TrackerSession tracker_;
  AddressBook book_;
  std::optional<Picker> picker_;
  std::optional<FileCheck> check_;
  Blame blame_;

  std::vector<std::unique_ptr<Peer>> peers_;     // by slot; holes are nullptr
  std::vector<std::unique_ptr<Peer>> departed_;  // in this step
  std::vector<Picker::PeerSlot> free_slots_;
  absl::flat_hash_map<LinkId, Picker::PeerSlot> slot_of_;  // look-up only
  uint32_t dialled_ = 0;                                   // links we opened
  uint32_t ready_ = 0;                                     // past the handshake
  uint32_t unchoked_ = 0;
  uint64_t next_link_ = 1;
  Instant peers_deadline_ = Instant::Never();
  bool refill_all_ = false;
  bool starved_ = false;  // somebody could not ask for more because of kBytesInFlightLimit
  std::vector<BlockRef> picked_;
  std::vector<Picker::PeerSlot> unflushed_;  // peers with messages of this step
  size_t peers_found_ = 0;

  uint64_t requested_bytes_ = 0;  // in peers' requests
  uint64_t storing_bytes_ = 0;

  bool file_open_ = false;  // or being opened
  bool checkpoint_dirty_ = false;
  bool checkpoint_out_ = false;
  Instant last_checkpoint_{};
  Instant check_since_{};
  bool stop_waits_ = false;  // for the withdrawal, until Timer::kStop
  std::vector<CallId> stop_calls_;
  swarm::Progress totals_;
  RollingDigest digest_;
};

}  // namespace bt::swarm
