#include "core/swarm/engine.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/swarm/peer_id.h"

namespace bt::swarm {
namespace {

// Claims of a file still being proven wait this long, so that a file soon proven is claimed in one go.
constexpr Duration kClaimPatience = Seconds(2);

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Client::Engine::Engine(Config config)
    : config_(std::move(config)),
      tracker_(config_),
      book_(config_.timing, config_.limits, config_.listen),
      peers_(config_.timing) {
  config_.connection_limit = std::min(config_.connection_limit, kPeerLimit);
}

void Client::Engine::Step(const Input<swarm::Protocol>& input, Ctx& context) {
  if (phase_ == Phase::kStopped && !std::holds_alternative<Call<swarm::Protocol>>(input)) return;
  std::visit([&](const auto& alternative) { Handle(alternative, context); }, input);
  EndOfStep(context);
}

TrackerSession::Wanted Client::Engine::Wanted() const {
  using Wanted = TrackerSession::Wanted;
  if (phase_ == Phase::kOffering) return Wanted::kWhoWaits;
  if (phase_ != Phase::kDownloading) return Wanted::kNobody;
  return peers_.ready() >= kEnoughPeers ? Wanted::kOtherPeers : Wanted::kMorePeers;
}

void Client::Engine::EndOfStep(Ctx& context) {
  if (phase_ == Phase::kStopped) return;
  if (speaking()) {
    tracker_.SetLookups(Wanted());
    if (tracker_.Unreachable(context.now) && config_.peers.empty() && !config_.wait_for_registration &&
        !web_seeds_may_help()) {
      Fail(absl::StrCat("no tracker could be reached: ", tracker_.last_trouble(),
                        "; start one, or name another"),
           context, FailureCause::kNoTracker);
    }
  }
  if (phase_ == Phase::kDownloading) PollWebSeeds(context);
  if (downloads_) downloads_->RefillAll(context);
  for (auto overfull = peers_.EndStep(context); !overfull.empty(); overfull = peers_.EndStep(context)) {
    for (Peer* peer : overfull) Disconnect(*peer, "does not read what it asks for", true, context);
  }
  tracker_.Poll(verified(), context);
  if (phase_ == Phase::kStopping) MaybeStopped(context);
}

void Client::Engine::PollWebSeeds(Ctx& context) {
  web_seeds_->Poll(context);
  const bool alone = config_.trackers == 0 && config_.peers.empty() && peers_.links() == 0;
  if (!alone || web_seeds_->hope()) return;
  Fail("the torrent names no tracker, no peer was given, and no web server gives the rest", context);
}

// --- start ---

void Client::Engine::Handle(const Started&, Ctx& context) {
  self_id_ = DrawPeerId(context.rng);
  for (const Address& peer : config_.peers) book_.Add(peer, AddressBook::Source::kUser);
  const bool download = config_.role == Role::kDownload;
  if (config_.metainfo) {
    if (download && config_.trackers == 0 && config_.peers.empty() && config_.web_seeds == 0) {
      return Fail("the torrent names no tracker, and no peer was given", context);
    }
    TorrentArrived(*std::move(config_.metainfo), context);
    config_.metainfo.reset();
  } else if (!download || !config_.key) {
    Fail("an offer needs a torrent", context);
  } else if (config_.trackers == 0) {
    Fail(absl::StrCat("no tracker to ask for ", tracker_api::KeyText(*config_.key)), context);
  } else {
    tracker_.Fetch(*config_.key);
  }
}

void Client::Engine::TorrentArrived(Metainfo metainfo, Ctx& context) {
  if (const absl::Status status = metainfo.Validate(); !status.ok()) {
    return Fail(absl::StrCat("unusable torrent: ", status.message()), context);
  }
  absl::StatusOr<Selection> selection = Selection::Of(metainfo, config_.select);
  if (!selection.ok()) return Fail(std::string(selection.status().message()), context);
  torrent_.emplace(std::move(metainfo), *std::move(selection), config_);
  metadata_.emplace(torrent_->metainfo(), config_.info);
  downloads_.emplace(*torrent_, peers_, totals_, config_);
  uploads_.emplace(*torrent_, peers_, totals_, config_);
  web_seeds_.emplace(*torrent_, *downloads_, config_);
  phase_ = Phase::kVerifying;
  TorrentKnown known{torrent_->metainfo().content(), torrent_->metainfo().name};
  if (const Selection& selected = torrent_->selection(); selected.given()) {
    known.files_selected = selected.files();
    known.files = static_cast<uint32_t>(torrent_->metainfo().tree.files().size());
    known.bytes_selected = selected.bytes();
  }
  context.out.Note(std::move(known));
  torrent_->Open(config_.role == Role::kOffer ? FileMode::kRead : FileMode::kDownload, context);
}

// --- the file ---

void Client::Engine::Handle(const FileOpened& input, Ctx& context) {
  if (phase_ != Phase::kVerifying) return;
  if (!input.status.ok()) {
    torrent_->OpenFailed();
    return Fail(std::string(input.status.message()), context);
  }
  const uint32_t pieces = verified().size();
  const bool offer = config_.role == Role::kOffer;
  tracker_.Begin(torrent_->metainfo().content(), pieces, context.now, context.rng);
  if (offer && config_.skip_verify) {
    torrent_->TakeAllForVerified();
    return Ready(context);
  }
  const PieceMap unknown = offer ? PieceMap::All(pieces) : torrent_->Opened(input);
  // Who was greeted before the file was open has been told that there is nothing.
  peers_.EachReady([&](Peer& peer) {
    for (const PieceRange& held : verified().ToRanges()) {
      for (uint32_t i = 0; i < held.count; ++i) peers_.Queue(peer, wire::Have{held.first + i});
    }
  });
  if (unknown.none()) return Ready(context);
  tracker_.PauseClaims(true);
  check_since_ = context.now;
  torrent_->Check(unknown, offer, context);
}

void Client::Engine::Handle(const RangeHashed& input, Ctx& context) {
  if (!torrent_ || !speaking()) return;
  for (FileCheck::Verdict& verdict : torrent_->Hashed(input, context)) {
    if (phase_ == Phase::kDownloading) {
      ReadBack(std::move(verdict), context);
    } else {
      CheckedPiece(std::move(verdict), context);
    }
  }
  if (context.now - check_since_ >= kClaimPatience) tracker_.PauseClaims(false);
  if (phase_ == Phase::kVerifying && torrent_->checked()) Ready(context);
}

void Client::Engine::CheckedPiece(FileCheck::Verdict verdict, Ctx& context) {
  if (verdict.good) {
    if (!torrent_->Add(verdict.piece)) return;
    tracker_.HoldChanged();
    peers_.EachReady([&](Peer& peer) { peers_.Queue(peer, wire::Have{verdict.piece}); });
    return;
  }
  // Hashed before the file was changed, and again after.
  LosePiece(verdict.piece);
  if (config_.role == Role::kOffer || phase_ == Phase::kOffering) {
    unusable_why_ = verdict.why;
    context.out.Note(PieceUnusable{verdict.piece, std::move(verdict.why)});
  } else if (phase_ == Phase::kVerifying && torrent_->InPlace(verdict.piece)) {
    const FileTree& tree = torrent_->metainfo().tree;
    Fail(absl::StrCat("cannot download ", tree.files()[tree.FileOf(verdict.piece.value())].Path(),
                      ": the file that is there already is not it (", verdict.why,
                      "); remove it or choose another path"),
         context);
  }
}

// The word of the last checkpoint about one piece, held against the file's bytes.
void Client::Engine::ReadBack(FileCheck::Verdict verdict, Ctx& context) {
  if (verdict.good) return FinishIfProven(context);
  // The file was changed between two lives of this client: the piece is fetched again.
  CHECK(torrent_->TakeBack(verdict.piece, context));
  downloads_->Lost(verdict.piece);
  tracker_.HoldChanged();
  context.out.Note(PieceUnusable{verdict.piece, std::move(verdict.why)});
}

// What the file holds is known: serve it, or fetch the rest.
void Client::Engine::Ready(Ctx& context) {
  tracker_.PauseClaims(false);
  tracker_.HoldChanged();
  context.out.Note(FileReady{torrent_->selected_pieces_verified(), torrent_->selection().pieces()});
  if (config_.role == Role::kOffer) {
    if (verified().none()) {
      // Another file, or one that cannot be read: the reason of a piece tells which.
      return Fail(
          absl::StrCat("no piece of ", View(torrent_->metainfo().name), " can be offered: ", unusable_why_),
          context);
    }
    phase_ = Phase::kOffering;
    // A liar of a test has nothing to spread.
    if (verified().all() && !config_.skip_verify) uploads_->BeginSpreading(context);
    return Dial(context);
  }
  phase_ = Phase::kDownloading;
  downloads_->Begin(context.rng);
  torrent_->CheckUnproven(context);
  FinishIfProven(context);
  Dial(context);
}

void Client::Engine::Handle(const BlockStored& input, Ctx& context) {
  if (phase_ != Phase::kDownloading) return;
  if (!input.status.ok()) {
    return Fail(absl::StrCat("cannot write the download: ", input.status.message()), context);
  }
  const Downloads::Verdict verdict = downloads_->Stored(input, context);
  for (const Sender& liar : verdict.liars) Convict(liar, verdict.piece, context);
  if (verdict.verified) HavePiece(verdict.piece, context);
}

void Client::Engine::HavePiece(PieceIndex piece, Ctx& context) {
  CHECK(torrent_->Add(piece));
  context.out.Note(PieceVerified{piece});
  tracker_.HoldChanged();
  torrent_->ProgressMade(context);
  downloads_->Gained(piece);
  FinishIfProven(context);
}

// A piece counts as proven once its hash was computed, in this life, from the bytes that lie in the file:
// a piece that came from peers as it was written, the others by reading them back.
void Client::Engine::FinishIfProven(Ctx& context) {
  if (!torrent_->proven()) return;
  phase_ = Phase::kFinishing;
  downloads_->End();
  web_seeds_->End(context);
  torrent_->Finish(context);
}

void Client::Engine::Handle(const FileFinished& input, Ctx& context) {
  if (phase_ != Phase::kFinishing) return;
  if (!input.status.ok()) {
    return Fail(absl::StrCat("cannot complete the download: ", input.status.message()), context);
  }
  context.out.Note(DownloadComplete{torrent_->metainfo().content()});
  if (!config_.keep_offering) return BeginStop(context);
  phase_ = Phase::kOffering;
  book_.EraseIdle();
  peers_.EachReady([&](Peer& peer) { PartIfBothComplete(peer, context); });
}

// Somebody has written to the file that is offered, or put another in its place: what it holds now is proven
// anew, and what it holds again is offered again.
void Client::Engine::Handle(const FileChanged& input, Ctx& context) {
  const bool offers = config_.role == Role::kOffer || phase_ == Phase::kOffering;
  if (!speaking() || !torrent_ || !offers || config_.skip_verify || input.length == 0) return;
  const PieceMap touched = PiecesIn(input.offset, input.length);
  OfferChanged note{0, std::string(input.status.message())};
  for (uint32_t i = 0; i < touched.size(); ++i) {
    if (touched.Has(PieceIndex(i)) && LosePiece(PieceIndex(i))) ++note.pieces;
  }
  digest_.Add(uint64_t{note.pieces});
  context.out.Note(std::move(note));
  if (input.status.ok()) torrent_->Check(touched, false, context);
}

bool Client::Engine::LosePiece(PieceIndex piece) {
  if (!torrent_->Lose(piece)) return false;
  uploads_->Lost(piece);
  tracker_.HoldChanged();
  return true;
}

PieceMap Client::Engine::PiecesIn(uint64_t offset, uint64_t length) const {
  const Metainfo& metainfo = torrent_->metainfo();
  PieceMap pieces(verified().size());
  const uint64_t last = std::min(offset + length, metainfo.end_offset()) - 1;
  for (uint64_t piece = offset / metainfo.piece_length; piece <= last / metainfo.piece_length; ++piece) {
    const PieceIndex index(static_cast<uint32_t>(piece));
    if (torrent_->selection().Has(index) || verified().Has(index)) pieces.Add(index);
  }
  return pieces;
}

// The file has changed under us, or its disk fails: what cannot be read is not had, until it is proven anew.
void Client::Engine::Handle(const ReadFailed& input, Ctx& context) {
  if (!speaking() || !torrent_ || input.length == 0) return;
  const PieceMap touched = PiecesIn(input.offset, input.length);
  PieceMap lost(verified().size());
  for (uint32_t i = 0; i < touched.size(); ++i) {
    const PieceIndex index(i);
    if (!touched.Has(index) || !LosePiece(index)) continue;
    lost.Add(index);
    context.out.Note(PieceUnusable{index, std::string(input.status.message())});
  }
  if (lost.none()) return;
  digest_.Add(uint64_t{lost.count()});
  if (config_.role == Role::kDownload && phase_ != Phase::kOffering) {
    return Fail(absl::StrCat("cannot read the download back: ", input.status.message()), context);
  }
  if (!config_.skip_verify) torrent_->Check(lost, false, context);
}

void Client::Engine::Handle(const Checkpointed& input, Ctx& context) {
  if (!torrent_) return;
  const std::vector<PieceIndex> gone = torrent_->Checkpointed(context);
  // What is whole needs no progress any more: it is finished, or fails, by itself.
  if (!input.status.ok() && speaking() && phase_ == Phase::kDownloading) {
    return Fail(absl::StrCat("cannot save the download's progress: ", input.status.message()), context);
  }
  if (phase_ != Phase::kDownloading) return;
  for (const PieceIndex piece : gone) downloads_->MayFetch(piece);
  if (torrent_->unsaved()) torrent_->ProgressMade(context);
}

// --- timers, calls, the end ---

void Client::Engine::Handle(const TimerFired<swarm::Protocol>& input, Ctx& context) {
  switch (input.timer) {
    case Timer::kTracker:
    case Timer::kWebSeeds:
    case Timer::kCount:
      return;  // EndOfStep polls the trackers, and web servers
    case Timer::kPeers:
      return PeerTimers(context);
    case Timer::kDial:
      return Dial(context);
    case Timer::kChoke:
      if (uploads_) uploads_->ChokeRound(context);
      return;
    case Timer::kCheckpoint:
      if (phase_ == Phase::kDownloading) torrent_->SaveProgress(context);
      return;
    case Timer::kStop:
      stop_waits_ = false;
      return;
  }
}

void Client::Engine::Handle(const Call<swarm::Protocol>& input, Ctx& context) {
  if (std::holds_alternative<GetProgress>(input.request)) return context.out.Reply(input.id, progress());
  if (const auto* limits = std::get_if<swarm::SetLimits>(&input.request)) {
    SetLimits(*limits, context);
    return context.out.Reply(input.id, progress());
  }
  if (phase_ == Phase::kStopped) return context.out.Reply(input.id, Stopped{});
  stop_calls_.push_back(input.id);
  BeginStop(context);
}

void Client::Engine::SetLimits(const swarm::SetLimits& limits, Ctx& context) {
  config_.upload_limit = limits.upload;
  config_.download_limit = limits.download;
  if (!uploads_) return;
  uploads_->LimitChanged(config_, context);
  downloads_->SetLimit(config_.download_limit, context);
}

void Client::Engine::Handle(const CallCancelled& input, Ctx&) {
  stop_calls_.erase(std::remove(stop_calls_.begin(), stop_calls_.end(), input.id), stop_calls_.end());
}

void Client::Engine::Fail(std::string reason, Ctx& context, FailureCause cause) {
  if (!speaking()) return;
  if (torrent_) torrent_->KeepNothingMore();
  context.out.Note(Failed{std::move(reason), cause});
  BeginStop(context);
}

void Client::Engine::BeginStop(Ctx& context) {
  if (!speaking()) return;
  if (phase_ == Phase::kDownloading) torrent_->SaveProgress(context);
  phase_ = Phase::kStopping;
  if (downloads_) downloads_->End();
  if (web_seeds_) web_seeds_->End(context);
  peers_.Each([&](Peer& peer) {
    context.out.Link(LinkClose{peer.link, false});
    RemovePeer(peer, context);
  });
  for (const Timer timer : {Timer::kPeers, Timer::kDial, Timer::kChoke, Timer::kCheckpoint}) {
    context.out.Disarm(timer);
  }
  tracker_.Leave();
  stop_waits_ = true;
  context.out.Arm(Timer::kStop, context.now + config_.timing.withdraw_limit);
}

void Client::Engine::MaybeStopped(Ctx& context) {
  if ((torrent_ && torrent_->saving()) || (stop_waits_ && !tracker_.left())) return;
  phase_ = Phase::kStopped;
  if (torrent_) torrent_->Close(context);
  context.out.Disarm(Timer::kStop);
  context.out.Disarm(Timer::kTracker);
  context.out.Note(Stopped{});
  for (const CallId call : stop_calls_) context.out.Reply(call, Stopped{});
  stop_calls_.clear();
}

// --- for onlookers ---

swarm::Progress Client::Engine::progress() const {
  swarm::Progress progress = totals_;
  if (torrent_) {
    progress.pieces = torrent_->selection().pieces();
    progress.pieces_verified = torrent_->selected_pieces_verified();
    progress.length = torrent_->selection().bytes();
    progress.bytes_verified = torrent_->selected_bytes_verified();
    progress.bytes_from_web = web_seeds_->bytes_received();
    progress.bytes_held = torrent_->bytes_verified();
  }
  progress.tracker_answered = tracker_.answered();
  progress.peers_connected = peers_.ready();
  progress.peers_known = static_cast<uint32_t>(book_.known());
  progress.peers_banned = static_cast<uint32_t>(book_.bans());
  return progress;
}

std::vector<PeerView> Client::Engine::peers() const {
  std::vector<PeerView> views;
  peers_.EachReady([&](const Peer& peer) {
    views.push_back(
        {peer.id, peer.pieces, peer.am_interested, peer.peer_interested, peer.am_choking, peer.peer_choking});
  });
  return views;
}

std::optional<Address> Client::Engine::OverlookedPeer() const {
  const Peer* peer = phase_ == Phase::kDownloading ? downloads_->Overlooked() : nullptr;
  return peer == nullptr ? std::nullopt : std::optional(peer->address);
}

void Client::Engine::CheckInvariants() const {
  CHECK(peers_.links() <= kPeerLimit);
  CHECK(book_.known() <=
        config_.limits.given_addresses + config_.limits.told_addresses + config_.limits.exchanged_addresses);
  CHECK(book_.bans() <= config_.limits.bans);
  CHECK(phase_ != Phase::kFinishing || torrent_->proven());
  if (downloads_) downloads_->CheckInvariants();
  if (uploads_) uploads_->CheckInvariants();
  if (web_seeds_) web_seeds_->CheckInvariants();
}

uint64_t Client::Engine::Digest() const {
  RollingDigest digest = digest_;
  digest.Add(static_cast<uint64_t>(phase_));
  digest.Add(tracker_.Digest());
  digest.Add(verified().count());
  digest.Add(totals_.bytes_received);
  digest.Add(totals_.bytes_sent);
  if (downloads_) digest.Add(downloads_->Digest());
  if (web_seeds_) digest.Add(web_seeds_->Digest());
  digest.Add(next_link_);
  digest.Add(peers_.ready());
  digest.Add(book_.known());
  digest.Add(book_.bans());
  return digest.value();
}

}  // namespace bt::swarm
