#pragma once

// The client's engine: one session of one content. It joins the trackers, the address book and the table of
// peers with the parts that act on them: Torrent (the file, what is verified), Downloads (what is fetched
// from whom), Uploads (who is served). The parts never call back; what they find out they return, and the
// engine acts on it. Private to core/swarm. By file: engine.cc (life: start, file, trackers, stop),
// engine_links.cc (dialling, handshakes, deadlines, bans), engine_messages.cc (what each wire message does).

#include <optional>
#include <string>
#include <vector>

#include "core/swarm/address_book.h"
#include "core/swarm/client.h"
#include "core/swarm/downloads.h"
#include "core/swarm/metadata_source.h"
#include "core/swarm/peer_table.h"
#include "core/swarm/probation.h"
#include "core/swarm/torrent.h"
#include "core/swarm/tracker_session.h"
#include "core/swarm/uploads.h"
#include "core/swarm/web_seeds.h"
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
  static constexpr uint32_t kOfferDials = 4;  // in vain; then an offer waits until the address is listed anew

  explicit Engine(Config config);

  void Step(const Input<swarm::Protocol>& input, Ctx& context);
  void CheckInvariants() const;
  uint64_t Digest() const;

  const Config& config() const { return config_; }
  void SetLimits(const swarm::SetLimits& limits, Ctx& context);
  const Metainfo* metainfo() const { return torrent_ ? &torrent_->metainfo() : nullptr; }
  const PieceMap& verified() const { return torrent_ ? torrent_->verified() : no_pieces_; }
  const PieceMap& unproven() const { return torrent_ ? torrent_->unproven() : no_pieces_; }
  const Selection* selection() const { return torrent_ ? &torrent_->selection() : nullptr; }
  swarm::Progress progress() const;
  Phase phase() const { return phase_; }
  bool IsBanned(const Address& peer) const { return book_.banned(peer); }
  const wire::PeerId& id() const { return self_id_; }
  std::vector<PeerView> peers() const;
  bool Means(const InfoHash& hash) const { return torrent_ && torrent_->info_hashes().Find(hash) != nullptr; }
  std::optional<Address> OverlookedPeer() const;

 private:
  // --- engine.cc: life ---
  void Handle(const Started& input, Ctx& context);
  void Handle(const Received<swarm::Protocol>& input, Ctx& context);
  void Handle(const TimerFired<swarm::Protocol>& input, Ctx& context);
  void Handle(const Call<swarm::Protocol>& input, Ctx& context);
  void Handle(const CallCancelled& input, Ctx& context);
  void Handle(const WriteDone&, Ctx&) {}
  void Handle(const PeerClosed&, Ctx&) {}
  void Handle(const FileCompleted<swarm::Protocol>& input, Ctx& context) {
    std::visit([&](const auto& done) { Handle(done, context); }, input.what);
  }
  void Handle(const FileOpened& input, Ctx& context);
  void Handle(const RangeHashed& input, Ctx& context);
  void Handle(const BlockStored& input, Ctx& context);
  void Handle(const FileChanged& input, Ctx& context);
  void Handle(const ReadFailed& input, Ctx& context);
  void Handle(const Checkpointed& input, Ctx& context);
  void Handle(const FileFinished& input, Ctx& context);
  void TorrentArrived(Metainfo metainfo, Ctx& context);
  void Fetched(tracker_api::Response response, Ctx& context);
  void TrackerEvent(TrackerSession::Event event, Ctx& context);
  void Heard(const tracker_api::Peers& answer, Ctx& context);
  // It is not had any more; true if it was.
  bool LosePiece(PieceIndex piece);
  // Of what lies there of the content, in files that are selected, or is there all the same; length > 0.
  PieceMap PiecesIn(uint64_t offset, uint64_t length) const;
  void CheckedPiece(FileCheck::Verdict verdict, Ctx& context);
  void ReadBack(FileCheck::Verdict verdict, Ctx& context);
  void Ready(Ctx& context);
  void HavePiece(PieceIndex piece, Ctx& context);
  void FinishIfProven(Ctx& context);
  void Fail(std::string reason, Ctx& context, FailureCause cause = FailureCause::kOther);
  void BeginStop(Ctx& context);
  void MaybeStopped(Ctx& context);
  void EndOfStep(Ctx& context);
  void PollWebSeeds(Ctx& context);
  TrackerSession::Wanted Wanted() const;

  // --- engine_links.cc ---
  void Handle(const LinkUp& input, Ctx& context);
  void Handle(const LinkReceived& input, Ctx& context);
  void Handle(const LinkSent& input, Ctx& context);
  void Handle(const LinkDown& input, Ctx& context);
  void Dial(Ctx& context);
  void SendHandshake(Peer& peer, const InfoHashes::Known& under);
  void Greet(Peer& peer, const wire::Handshake& handshake, Ctx& context);
  bool KeepNewcomer(Peer& newcomer, Ctx& context);
  // Closes the link, and Leave.
  void Disconnect(Peer& peer, std::string why, bool fault, Ctx& context);
  // The link is gone or being closed: notes, the book, the tables, and someone else's turn.
  void Leave(Peer& peer, std::string why, bool fault, Ctx& context);
  void ProtocolError(Peer& peer, const char* what, Ctx& context);
  void RemovePeer(Peer& peer, Ctx& context);
  void FreeAddress(const Peer& peer, bool fault, Ctx& context);
  void Convict(const Sender& sender, PieceIndex piece, Ctx& context);
  void PeerTimers(Ctx& context);

  // --- engine_messages.cc: the wire ---
  void OnMessage(Peer& peer, const wire::Message& message, Ctx& context);
  void OnBlock(Peer& peer, const wire::Piece& piece, Ctx& context);
  void OnPieces(Peer& peer, PieceMap pieces, Ctx& context);
  void OnHave(Peer& peer, PieceIndex piece, Ctx& context);
  void OnReject(Peer& peer, const wire::BlockSpan& span, Ctx& context);
  void OnSuggest(Peer& peer, PieceIndex piece, Ctx& context);
  void OnExtended(Peer& peer, const wire::ExtendedHandshake& handshake, Ctx& context);
  void OnMetadata(Peer& peer, const wire::Metadata& message);
  void OnExchange(Peer& peer, const wire::PeerExchange& exchange, Ctx& context);
  void OnHashRequest(Peer& peer, const wire::HashSpan& span, Ctx& context);
  void PartIfBothComplete(Peer& peer, Ctx& context);

  bool speaking() const { return phase_ < Phase::kStopping; }
  bool exchanges_peers() const { return config_.peer_exchange && !metadata_->may_be_private(); }
  // A download can do without trackers. Not before there is a torrent: until then nobody knows what to ask
  // web servers for.
  bool web_seeds_may_help() const {
    return config_.role == Role::kDownload && web_seeds_ && web_seeds_->hope();
  }
  bool dials() const { return phase_ == Phase::kDownloading || phase_ == Phase::kOffering; }

  Config config_;
  Phase phase_ = Phase::kFetching;
  wire::PeerId self_id_{};
  swarm::Progress totals_;
  const PieceMap no_pieces_;

  TrackerSession tracker_;
  AddressBook book_;
  Probation probation_;
  PeerTable peers_;
  // All five or none: a peer is in the table only while there is a torrent.
  std::optional<Torrent> torrent_;
  std::optional<MetadataSource> metadata_;
  std::optional<Downloads> downloads_;
  std::optional<Uploads> uploads_;
  std::optional<WebSeeds> web_seeds_;

  uint64_t next_link_ = 1;
  size_t peers_found_ = 0;
  Instant check_since_{};
  // At most one sentence.
  std::string unusable_why_;  // of the last piece that an offer's check of its file has refused
  bool stop_waits_ = false;   // for the withdrawal, until Timer::kStop
  // lint: allow(limit): one for each call of the host that says stop
  std::vector<CallId> stop_calls_;
  RollingDigest digest_;
};

}  // namespace bt::swarm
