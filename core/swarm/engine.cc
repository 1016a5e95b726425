#include "core/swarm/engine.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/fields.h"
#include "core/swarm/resume_state.h"

namespace bt::swarm {
namespace {

constexpr std::string_view kPeerIdPrefix = "-BY0100-";
// Claims of a file still being proven wait this long, so that a file soon proven is claimed in one go.
constexpr Duration kClaimPatience = Seconds(2);

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool Matches(const Metainfo& metainfo, const tracker_api::TorrentKey& key) {
  if (const auto* content = std::get_if<ContentId>(&key)) return metainfo.content() == *content;
  if (const auto* name = std::get_if<std::string>(&key)) return metainfo.name == *name;
  const std::vector<InfoHash> hashes = metainfo.AllInfoHashes();
  return std::find(hashes.begin(), hashes.end(), std::get<InfoHash>(key)) != hashes.end();
}

}  // namespace

Client::Engine::Engine(Config config)
    : config_(std::move(config)), tracker_(config_), book_(config_.timing, config_.listen) {
  config_.connection_limit = std::min(config_.connection_limit, kPeerLimit);
}

void Client::Engine::Step(const Input<swarm::Protocol>& input, Ctx& context) {
  if (phase_ == Phase::kStopped && !std::holds_alternative<Call<swarm::Protocol>>(input)) return;
  std::visit([&](const auto& alternative) { Handle(alternative, context); }, input);
  EndOfStep(context);
}

void Client::Engine::EndOfStep(Ctx& context) {
  if (phase_ == Phase::kStopped) return;
  if (speaking()) {
    using Wanted = TrackerSession::Wanted;
    const Wanted peers = ready_ >= kEnoughPeers ? Wanted::kOtherPeers : Wanted::kMorePeers;
    tracker_.SetLookups(phase_ == Phase::kDownloading ? peers
                        : phase_ == Phase::kOffering  ? Wanted::kWhoWaits
                                                      : Wanted::kNobody);
    if (tracker_.Unreachable(context.now) && config_.peers.empty() && !config_.wait_for_registration) {
      Fail(absl::StrCat("no tracker could be reached: ", tracker_.last_trouble(),
                        "; start one, or name another"),
           context, FailureCause::kNoTracker);
    }
  }
  if (refill_all_) RefillAll(context);
  for (size_t i = 0; i < unflushed_.size(); ++i) {
    if (Peer* peer = peers_[unflushed_[i]].get()) Flush(*peer, context);
  }
  unflushed_.clear();
  departed_.clear();
  tracker_.Poll(verified_, context);
  if (phase_ == Phase::kStopping) MaybeStopped(context);
}

// --- start ---

void Client::Engine::Handle(const Started&, Ctx& context) {
  std::copy(kPeerIdPrefix.begin(), kPeerIdPrefix.end(), self_id_.begin());
  for (size_t i = kPeerIdPrefix.size(); i < self_id_.size(); ++i) {
    self_id_[i] = static_cast<uint8_t>("0123456789abcdefghijklmnopqrstuvwxyz"[context.rng.Below(36)]);
  }
  for (const Address& peer : config_.peers) book_.Add(peer);
  const bool download = config_.role == Role::kDownload;
  if (config_.metainfo) {
    if (download && config_.trackers == 0 && config_.peers.empty()) {
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
  metainfo_ = std::make_unique<const Metainfo>(std::move(metainfo));
  info_hashes_ = InfoHashes(*metainfo_, config_.format, config_.key);
  verified_ = unproven_ = PieceMap(metainfo_->piece_count());
  phase_ = Phase::kVerifying;
  context.out.Note(TorrentKnown{metainfo_->content(), metainfo_->name});
  const FileMode mode = config_.role == Role::kOffer ? FileMode::kRead : FileMode::kDownload;
  file_open_ = true;
  context.out.File(OpenFile{kContentFile, mode, metainfo_->name, metainfo_->length});
}

void Client::Engine::Fetched(tracker_api::Response response, Ctx& context) {
  if (phase_ != Phase::kFetching) return;
  Metainfo& metainfo = std::get<tracker_api::Fetched>(response.body).metainfo;
  if (!Matches(metainfo, *config_.key)) {
    return Fail(
        absl::StrCat("the tracker answered with another torrent than ", tracker_api::KeyText(*config_.key)),
        context);
  }
  TorrentArrived(std::move(metainfo), context);
}

// --- the file ---

void Client::Engine::Handle(const FileOpened& input, Ctx& context) {
  if (phase_ != Phase::kVerifying) return;
  if (!input.status.ok()) {
    file_open_ = false;
    return Fail(std::string(input.status.message()), context);
  }
  const uint32_t pieces = metainfo_->piece_count();
  tracker_.Begin(metainfo_->content(), pieces, context.now, context.rng);
  if (config_.role == Role::kOffer) {
    if (config_.skip_verify) {
      verified_ = PieceMap::All(pieces);
      return Ready(context);
    }
  } else {
    const absl::StatusOr<ResumeState> resume = Decode<ResumeState>(input.resume);
    if (!input.resume.empty() && resume.ok() && resume->content == metainfo_->content() &&
        resume->piece_length == metainfo_->piece_length) {
      if (auto verified = PieceMap::FromBitfield(resume->verified, pieces)) {
        verified_ = unproven_ = *std::move(verified);
        return Ready(context);
      }
    }
    if (!input.existing) return Ready(context);
  }
  tracker_.PauseClaims(true);
  check_since_ = context.now;
  check_.emplace(*metainfo_, config_.role == Role::kOffer);
  check_->Add(PieceMap::All(pieces), context);
}

void Client::Engine::Handle(const RangeHashed& input, Ctx& context) {
  if (!check_ || !speaking()) return;
  for (FileCheck::Verdict& verdict : check_->Hashed(input, context)) {
    if (phase_ == Phase::kDownloading) {
      ReadBack(std::move(verdict), context);
    } else {
      CheckedPiece(std::move(verdict), context);
    }
  }
  if (context.now - check_since_ >= kClaimPatience) tracker_.PauseClaims(false);
  if (phase_ == Phase::kVerifying && check_->idle()) Ready(context);
}

void Client::Engine::CheckedPiece(FileCheck::Verdict verdict, Ctx& context) {
  if (verdict.good) {
    if (!verified_.Add(verdict.piece)) return;
    tracker_.HoldChanged();
    for (const auto& peer : peers_) {
      if (peer != nullptr && peer->state == Peer::State::kReady) Queue(*peer, wire::Have{verdict.piece});
    }
  } else if (config_.role == Role::kOffer) {
    context.out.Note(PieceUnusable{verdict.piece, std::move(verdict.why)});
  }
}

// The word of the last checkpoint about one piece, held against the file's bytes.
void Client::Engine::ReadBack(FileCheck::Verdict verdict, Ctx& context) {
  unproven_.Remove(verdict.piece);
  if (verdict.good) return FinishIfProven(context);
  // The file was changed between two lives of this client: the piece is fetched again.
  CHECK(verified_.Remove(verdict.piece));
  digest_.Add(uint64_t{verdict.piece.value()} << 1);
  picker_->Lost(verdict.piece);
  tracker_.HoldChanged();
  ProgressMade(context);
  context.out.Note(PieceUnusable{verdict.piece, std::move(verdict.why)});
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer->state != Peer::State::kReady || !peer->pieces.Has(verdict.piece)) continue;
    ++peer->useful;
    UpdateInterest(*peer);
  }
  refill_all_ = true;
}

// What the file holds is known: serve it, or fetch the rest.
void Client::Engine::Ready(Ctx& context) {
  tracker_.PauseClaims(false);
  tracker_.HoldChanged();
  context.out.Note(FileReady{verified_.count(), verified_.size()});
  if (config_.role == Role::kOffer) {
    if (verified_.none()) {
      return Fail(
          absl::StrCat("no piece of the file is the torrent's: not the file of ", View(metainfo_->name)),
          context);
    }
    phase_ = Phase::kOffering;
    return Dial(context);
  }
  picker_.emplace(*metainfo_, verified_, context.rng);
  phase_ = Phase::kDownloading;
  if (!unproven_.none()) {
    check_.emplace(*metainfo_, false);
    check_->Add(unproven_, context);
  }
  FinishIfProven(context);
  if (phase_ != Phase::kDownloading) return;
  // Peers that connected while the file was being checked were not looked at for what they have.
  for (const auto& peer : peers_) {
    if (peer != nullptr && peer->state == Peer::State::kReady) AdoptPieces(*peer);
  }
  Dial(context);
}

// Every piece counts as proven once its hash was computed, in this life, from the bytes that lie in the file:
// a piece that came from peers as it was written, the others by reading them back.
void Client::Engine::FinishIfProven(Ctx& context) {
  if (!verified_.all() || !unproven_.none()) return;
  phase_ = Phase::kFinishing;
  context.out.Disarm(Timer::kCheckpoint);
  context.out.File(FinishFile{kContentFile});
}

void Client::Engine::Handle(const FileFinished& input, Ctx& context) {
  if (phase_ != Phase::kFinishing) return;
  if (!input.status.ok()) {
    return Fail(absl::StrCat("cannot complete the download: ", input.status.message()), context);
  }
  context.out.Note(DownloadComplete{metainfo_->content()});
  if (!config_.keep_offering) return BeginStop(context);
  phase_ = Phase::kOffering;
  book_.EraseIdle();
  DropSeeders(context);
}

// At most once per checkpoint_interval, and only while there is something new to keep.
void Client::Engine::ProgressMade(Ctx& context) {
  checkpoint_dirty_ = true;
  if (checkpoint_out_ || context.out.timers.armed(Timer::kCheckpoint)) return;
  context.out.Arm(Timer::kCheckpoint,
                  std::max(context.now, last_checkpoint_ + config_.timing.checkpoint_interval));
}

void Client::Engine::SaveProgress(Ctx& context) {
  if (!checkpoint_dirty_ || checkpoint_out_ || !file_open_) return;
  checkpoint_dirty_ = false;
  checkpoint_out_ = true;
  context.out.File(
      Checkpoint{kContentFile, Slice::Own(Encode(ResumeState{metainfo_->content(), metainfo_->piece_length,
                                                             verified_.ToBitfield()}))});
}

void Client::Engine::Handle(const Checkpointed& input, Ctx& context) {
  checkpoint_out_ = false;
  last_checkpoint_ = context.now;
  if (!input.status.ok() && speaking()) {
    return Fail(absl::StrCat("cannot save the download's progress: ", input.status.message()), context);
  }
  if (phase_ == Phase::kDownloading && checkpoint_dirty_) ProgressMade(context);
}

// --- trackers ---

void Client::Engine::Handle(const Received<swarm::Protocol>& input, Ctx& context) {
  TrackerEvent(tracker_.Receive(input.message, verified_, context), context);
}

void Client::Engine::TrackerEvent(TrackerSession::Event event, Ctx& context) {
  using Kind = TrackerSession::Event::Kind;
  if (event.kind == Kind::kWithdrawn) context.out.Note(Withdrawn{tracker_.claimed().count()});
  if (!speaking()) return;
  switch (event.kind) {
    case Kind::kNothing:
    case Kind::kWithdrawn:
      return;
    case Kind::kFetched:
      return Fetched(std::move(event.response), context);
    case Kind::kOffered:
      return context.out.Note(Offered{tracker_.claimed().count(), verified_.size()});
    case Kind::kPeers:
      return Heard(std::get<tracker_api::Peers>(event.response.body).peers, context);
    case Kind::kNotFound: {
      const std::string name = metainfo_ != nullptr
                                   ? absl::StrCat(metainfo_->name, " (", metainfo_->content().ToString(), ")")
                                   : tracker_api::KeyText(*config_.key);
      if (config_.wait_for_registration) {
        if (phase_ == Phase::kFetching) tracker_.Fetch(*config_.key);
        return;
      }
      return Fail(absl::StrCat("the trackers know no torrent ", name, ": register it first"), context,
                  FailureCause::kNotFound);
    }
    case Kind::kRefused: {
      const std::string reason = absl::StrCat("the tracker refuses: ", event.response.reason);
      if (phase_ == Phase::kFetching || config_.role == Role::kOffer) return Fail(reason, context);
      return context.out.Note(TrackerTrouble{NodeId(0), reason});
    }
    case Kind::kLookupRefused:
      return context.out.Note(
          TrackerTrouble{NodeId(0), absl::StrCat("the tracker refuses: ", event.response.reason)});
  }
}

void Client::Engine::Heard(const std::vector<tracker_api::PeerClaim>& peers, Ctx& context) {
  for (const tracker_api::PeerClaim& claim : peers) {
    // Two seeders have nothing to say to each other.
    if (phase_ == Phase::kOffering && claim.complete) continue;
    book_.Add(claim.peer);
  }
  if (peers.size() != peers_found_) context.out.Note(PeersFound{static_cast<uint32_t>(peers.size())});
  peers_found_ = peers.size();
  Dial(context);
}

// --- timers, calls, the end ---

void Client::Engine::Handle(const TimerFired<swarm::Protocol>& input, Ctx& context) {
  switch (input.timer) {
    case Timer::kTracker:
    case Timer::kCount:
      return;  // EndOfStep polls the trackers
    case Timer::kPeers:
      return PeerTimers(context);
    case Timer::kDial:
      return Dial(context);
    case Timer::kChoke:
      return ChokeRound(context);
    case Timer::kCheckpoint:
      if (phase_ == Phase::kDownloading) SaveProgress(context);
      return;
    case Timer::kStop:
      stop_waits_ = false;
      return;
  }
}

void Client::Engine::Handle(const Call<swarm::Protocol>& input, Ctx& context) {
  if (std::holds_alternative<GetProgress>(input.request)) return context.out.Reply(input.id, progress());
  if (phase_ == Phase::kStopped) return context.out.Reply(input.id, Stopped{});
  stop_calls_.push_back(input.id);
  BeginStop(context);
}

void Client::Engine::Handle(const CallCancelled& input, Ctx&) {
  stop_calls_.erase(std::remove(stop_calls_.begin(), stop_calls_.end(), input.id), stop_calls_.end());
}

void Client::Engine::Fail(std::string reason, Ctx& context, FailureCause cause) {
  if (!speaking()) return;
  // What storage has refused once is not written to again.
  checkpoint_dirty_ = false;
  context.out.Note(Failed{std::move(reason), cause});
  BeginStop(context);
}

void Client::Engine::BeginStop(Ctx& context) {
  if (!speaking()) return;
  if (phase_ == Phase::kDownloading) SaveProgress(context);
  phase_ = Phase::kStopping;
  for (auto& peer : peers_) {
    if (peer == nullptr) continue;
    context.out.Link(LinkClose{peer->link, false});
    RemovePeer(*peer, context);
  }
  refill_all_ = false;
  unflushed_.clear();
  for (const Timer timer : {Timer::kPeers, Timer::kDial, Timer::kChoke, Timer::kCheckpoint}) {
    context.out.Disarm(timer);
  }
  tracker_.Leave();
  stop_waits_ = true;
  context.out.Arm(Timer::kStop, context.now + config_.timing.withdraw_limit);
}

void Client::Engine::MaybeStopped(Ctx& context) {
  if (checkpoint_out_ || (stop_waits_ && !tracker_.left())) return;
  phase_ = Phase::kStopped;
  if (file_open_) context.out.File(CloseFile{kContentFile});
  file_open_ = false;
  context.out.Disarm(Timer::kStop);
  context.out.Disarm(Timer::kTracker);
  context.out.Note(Stopped{});
  for (const CallId call : stop_calls_) context.out.Reply(call, Stopped{});
  stop_calls_.clear();
}

// --- for onlookers ---

swarm::Progress Client::Engine::progress() const {
  swarm::Progress progress = totals_;
  progress.pieces = verified_.size();
  progress.pieces_verified = verified_.count();
  if (metainfo_ != nullptr) {
    progress.length = metainfo_->length;
    progress.bytes_verified = uint64_t{verified_.count()} * metainfo_->piece_length;
    const uint32_t last = verified_.size() - 1;
    if (verified_.Has(PieceIndex(last))) {
      progress.bytes_verified -= metainfo_->piece_length - metainfo_->piece_size(last);
    }
  }
  progress.tracker_answered = tracker_.answered();
  progress.peers_connected = ready_;
  progress.peers_known = static_cast<uint32_t>(book_.known());
  progress.peers_banned = static_cast<uint32_t>(book_.bans());
  return progress;
}

void Client::Engine::CheckInvariants() const {
  CHECK(slot_of_.size() <= kPeerLimit);
  CHECK(requested_bytes_ + storing_bytes_ <= 2 * kBytesInFlightLimit);
  CHECK(book_.known() <= kKnownAddressLimit && book_.bans() <= kBanLimit);
  CHECK(phase_ != Phase::kFinishing || (verified_.all() && unproven_.none()));
  if (picker_) {
    picker_->CheckInvariants();
    // Offered pieces may be lost again (ReadFailed) when the download is over.
    CHECK(phase_ != Phase::kDownloading || picker_->missing() == verified_.size() - verified_.count());
  }
}

uint64_t Client::Engine::Digest() const {
  RollingDigest digest = digest_;
  digest.Add(static_cast<uint64_t>(phase_));
  digest.Add(tracker_.Digest());
  digest.Add(verified_.count());
  digest.Add(totals_.bytes_received);
  digest.Add(totals_.bytes_sent);
  digest.Add(requested_bytes_);
  digest.Add(storing_bytes_);
  digest.Add(next_link_);
  digest.Add(ready_);
  digest.Add(book_.known());
  digest.Add(book_.bans());
  return digest.value();
}

}  // namespace bt::swarm
