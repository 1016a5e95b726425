#include "nodes/daemon/daemon_transfer.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "nodes/client/download_target.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// Trackers that do not answer now, as after the start of a whole site, are no reason to give up for good.
constexpr Duration kRetryWithoutTracker = Seconds(30);
// Of one transfer; with kTransfersMax it bounds the peers of a daemon.
constexpr uint32_t kPeersPerTransfer = 50;

// Peers that are counted.
constexpr size_t kSourcesMax = 10'000;

// Longer than any machine runs, and no overflow as nanoseconds.
constexpr uint64_t kOfferedSecondsMax = uint64_t{1} << 32;

// A tree of more files is not kept for readers once it is complete: each of them is remembered and looked at.
constexpr size_t kFinishedFilesMax = 4096;

// The lower one of two limits, of which 0 is none.
uint64_t Lower(uint64_t one, uint64_t other) {
  return one == 0 || other == 0 ? std::max(one, other) : std::min(one, other);
}

bool IsThere(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

uint64_t Smoothed(uint64_t before, uint64_t bytes, Duration took) {
  const auto millis = static_cast<uint64_t>(std::max<int64_t>(1, took.millis()));
  return (before * 3 + bytes * 1000 / millis) / 4;
}

}  // namespace

DaemonTransfer::DaemonTransfer(uint64_t id, Order order, Surroundings surroundings)
    : id_(id),
      order_(std::move(order)),
      surroundings_(std::move(surroundings)),
      retry_(surroundings_.loop, [this] { Begin(); }),
      later_(surroundings_.loop) {}

void DaemonTransfer::Begin() {
  retry_.Disarm();
  if (state_ == State::kStopping) then_ = Then::kBegin;
  if (state_ != State::kPaused && state_ != State::kComplete && state_ != State::kFailed) return;
  state_ = State::kPreparing;
  files_.reset();
  finished_.reset();
  ForgetError();
  offered_ = already_there_ = false;
  if (std::exchange(seeded_, false)) {
    // The user wants more of it than its limits: they count from here.
    sent_ = 0;
    offered_for_ = {};
  }
  SetComplete(false);
  surroundings_.side.Run(
      [order = order_, torrent = surroundings_.torrent] { return Prepare(order, torrent); }, later_,
      [this, turn = ++turn_](Prepared prepared) {
        if (turn == turn_) OnPrepared(std::move(prepared));
      });
}

void DaemonTransfer::OnPrepared(Prepared prepared) {
  if (!prepared.status.ok()) {
    Fail(Message(prepared.status), prepared.exit);
    return Rest(State::kFailed);
  }
  Start(std::move(prepared.setup));
}

void DaemonTransfer::Start(HostedSetup setup) {
  setup.config.connection_limit = kPeersPerTransfer;
  setup.config.dial_limit = kPeersPerTransfer / 2;
  setup.config.upload_limit = Lower(share_upload_, order_.upload_limit);
  setup.config.download_limit = Lower(share_download_, order_.download_limit);
  kept_ = setup;
  kept_.config.metainfo.reset();
  troubles_.emplace(setup.trackers);
  target_taken_ = false;
  then_ = Then::kFail;
  state_ = State::kRunning;
  ticked_ = last_arrival_ = surroundings_.loop.now();
  ticked_progress_ = {};
  rates_ = {};
  arrived_ = present_ = 0;
  sources_.clear();
  hosted_ = std::make_unique<HostedTransfer>(surroundings_.loop, std::move(setup),
                                             [this](const swarm::Protocol::Note& note) { OnNote(note); });
  hosted_->Start(surroundings_.listen);
}

void DaemonTransfer::OnNote(const swarm::Protocol::Note& note) {
  if (const auto* known = std::get_if<swarm::TorrentKnown>(&note)) return Known(*known);
  if (const auto* trouble = std::get_if<swarm::TrackerTrouble>(&note)) {
    return troubles_->Add(trouble->tracker, trouble->why);
  }
  if (const auto* offered = std::get_if<swarm::Offered>(&note)) {
    const swarm::Client& client = hosted_->machine();
    offered_ = client.phase() == "offering" && offered->pieces >= client.verified().count();
  } else if (std::holds_alternative<swarm::FileReady>(note)) {
    present_ = hosted_->machine().progress().bytes_verified;
  } else if (const auto* connected = std::get_if<swarm::PeerConnected>(&note)) {
    if (sources_.size() < kSourcesMax) sources_.insert(connected->peer);
  } else if (std::holds_alternative<swarm::DownloadComplete>(note)) {
    if (!hosted_->keeps_offering()) then_ = Then::kComplete;
    TellCompleted();
  } else if (const auto* failed = std::get_if<swarm::Failed>(&note)) {
    const bool no_tracker = failed->cause == swarm::FailureCause::kNoTracker;
    const bool not_found = failed->cause == swarm::FailureCause::kNotFound;
    Fail(no_tracker ? absl::StrCat("no tracker answers: ", troubles_->ToString()) : failed->reason,
         no_tracker  ? ExitStatus::kNoTracker
         : not_found ? ExitStatus::kNotFound
                     : ExitStatus::kFailed);
    if (found_ && target_taken_) then_ = Then::kLook;
  } else if (std::holds_alternative<swarm::Stopped>(note)) {
    later_.Tell([this] { AfterStop(); });
  }
}

void DaemonTransfer::Known(const swarm::TorrentKnown& note) {
  name_ = note.name;
  content_ = note.content.ToString();
  target_ = hosted_->Target();
  target_taken_ = !hosted_->offers() && IsThere(target_);
  found_.reset();
  if (!target_taken_) return;
  found_ = *hosted_->machine().metainfo();
  selection_ = hosted_->selected();
}

void DaemonTransfer::Fail(std::string reason, ExitStatus exit) {
  error_ = std::move(reason);
  error_exit_ = exit;
}

void DaemonTransfer::ForgetError() {
  error_.clear();
  error_exit_ = ExitStatus::kDone;
}

void DaemonTransfer::TellCompleted() {
  if (!order_.offers() && !std::exchange(completed_, true)) surroundings_.completed(id_);
}

void DaemonTransfer::Stop(Then then) {
  then_ = then;
  state_ = State::kStopping;
  hosted_->Stop();
}

void DaemonTransfer::AfterStop() {
  progress_ = hosted_->machine().progress();
  sent_ += progress_.bytes_sent;
  files_.reset();
  if (hosted_->content() != nullptr) files_ = *hosted_->content();
  hosted_.reset();
  rates_ = {};
  if (ended_) return Rest(State::kPaused);
  switch (then_) {
    case Then::kBegin:
      state_ = State::kPaused;
      return Begin();
    case Then::kPause:
      ForgetError();
      return Rest(State::kPaused);
    case Then::kLook:
      return Look();
    case Then::kComplete:
      KeepReadable();
      SetComplete(true);
      return Rest(State::kComplete);
    case Then::kFail:
      return Rest(State::kFailed);
  }
}

// What is in the download's way may be what was to be downloaded.
void DaemonTransfer::Look() {
  state_ = State::kLooking;
  surroundings_.side.Run([path = target_, metainfo = *found_,
                          selection = *selection_] { return HoldsContent(path, metainfo, selection); },
                         later_,
                         [this, turn = ++turn_](bool holds) {
                           if (turn == turn_) OnLooked(holds);
                         });
}

void DaemonTransfer::OnLooked(bool holds) {
  if (!holds) return Rest(State::kFailed);
  already_there_ = true;
  ForgetError();
  progress_.length = progress_.bytes_verified = selection_->bytes();
  TellCompleted();
  if (!order_.keep_offering) {
    KeepReadable();
    SetComplete(true);
    return Rest(State::kComplete);
  }
  HostedSetup setup = kept_;
  setup.config.role = swarm::Role::kOffer;
  setup.config.metainfo = *std::exchange(found_, std::nullopt);
  setup.config.magnet.reset();
  setup.path = target_;
  Start(std::move(setup));
}

const swarm::OpenFile* DaemonTransfer::content() const {
  if (hosted_ != nullptr) return hosted_->content();
  return files_ ? &*files_ : nullptr;
}

absl::Status DaemonTransfer::MayBeRead() const {
  switch (state_) {
    case State::kPaused:
      return absl::FailedPreconditionError("it is paused");
    case State::kComplete:
      if (finished_ != nullptr && finished_->status().ok()) return absl::OkStatus();
      return absl::FailedPreconditionError(
          absl::StrCat(finished_ == nullptr
                           ? "it is complete, and its files were not looked at since the daemon was started"
                           : finished_->status().message(),
                       "; \"bytetorrent resume ", id_, "\" has them looked at"));
    case State::kFailed:
      return retry_.armed() ? absl::OkStatus() : absl::FailedPreconditionError(error_);
    default:
      return absl::OkStatus();
  }
}

net::FileRange DaemonTransfer::Readable(uint64_t offset, uint64_t most) {
  if (hosted_ != nullptr) return hosted_->Readable(offset, most);
  return finished_ != nullptr ? finished_->Readable(offset, most) : net::FileRange{};
}

void DaemonTransfer::Restore(const SavedTransfer& saved) {
  sent_ = saved.sent;
  offered_for_ = Seconds(static_cast<int64_t>(std::min(saved.offered_seconds, kOfferedSecondsMax)));
  seeded_ = saved.seeded;
  completed_ = saved.completed;
  complete_ = saved.complete;
  if (complete_) state_ = State::kComplete;
}

SavedTransfer DaemonTransfer::ToSave(bool paused) const {
  return {id_,     order_,     paused, complete_,
          seeded_, completed_, sent(), static_cast<uint64_t>(offered_for_.seconds())};
}

bool DaemonTransfer::HasCounted(const SavedTransfer& earlier) const {
  if (!order_.seed.Or(surroundings_.seed).given()) return false;
  const SavedTransfer now = ToSave(false);
  return now.sent != earlier.sent || now.offered_seconds != earlier.offered_seconds;
}

uint64_t DaemonTransfer::sent() const {
  return sent_ + (hosted_ == nullptr ? 0 : hosted_->machine().progress().bytes_sent);
}

// Whoever offers has all it wants; what an offer could not verify it goes on without.
void DaemonTransfer::CountOffering(Instant now) {
  if (then_ != Then::kFail || !error_.empty() || hosted_->machine().phase() != "offering") return;
  offered_for_ = offered_for_ + (now - ticked_);
  const uint64_t length = hosted_->machine().progress().length;
  const SeedLimits limits = order_.seed.Or(surroundings_.seed);
  if (!limits.Reached(static_cast<uint64_t>(offered_for_.seconds()), sent(), length)) return;
  seeded_ = true;
  Stop(Then::kComplete);
}

void DaemonTransfer::KeepReadable() {
  // An offer may end without some of its pieces.
  if (progress_.bytes_verified < progress_.length) return files_.reset();
  if (!files_ || files_->parts.size() > kFinishedFilesMax) return files_.reset();
  finished_ = std::make_unique<FinishedContent>(surroundings_.loop, surroundings_.side, target_, *files_);
}

void DaemonTransfer::Rest(State state) {
  state_ = state;
  const bool again = state == State::kFailed && error_exit_ == ExitStatus::kNoTracker;
  if (again) retry_.Arm(surroundings_.loop.now() + kRetryWithoutTracker);
  if (ended_) std::exchange(ended_, nullptr)();
}

void DaemonTransfer::SetComplete(bool complete) {
  if (std::exchange(complete_, complete) != complete) surroundings_.saved();
}

void DaemonTransfer::Pause() {
  retry_.Disarm();
  if (state_ == State::kRunning) return Stop(Then::kPause);
  if (state_ == State::kStopping) then_ = Then::kPause;
  if (state_ == State::kStopping || state_ == State::kComplete) return;
  ++turn_;
  ForgetError();
  state_ = State::kPaused;
}

void DaemonTransfer::End(std::function<void()> ended) {
  retry_.Disarm();
  ended_ = std::move(ended);
  if (state_ == State::kRunning) return Stop(Then::kPause);
  if (state_ == State::kStopping) return;
  ++turn_;
  later_.Tell([this] { Rest(state_); });
}

std::vector<InfoHash> DaemonTransfer::info_hashes() const {
  return hosted_ != nullptr && state_ == State::kRunning ? hosted_->info_hashes() : std::vector<InfoHash>();
}

bool DaemonTransfer::Means(const InfoHash& hash) const {
  return hosted_ != nullptr && state_ == State::kRunning && hosted_->machine().Means(hash);
}

void DaemonTransfer::SetShare(uint64_t upload, uint64_t download) {
  const bool same = upload == share_upload_ && download == share_download_;
  share_upload_ = upload;
  share_download_ = download;
  if (same || !running()) return;
  hosted_->SetLimits(Lower(upload, order_.upload_limit), Lower(download, order_.download_limit));
}

void DaemonTransfer::SetOwnLimits(uint64_t upload, uint64_t download, const SeedLimits& seed) {
  order_.seed = seed;
  order_.upload_limit = upload;
  order_.download_limit = download;
  if (running()) hosted_->SetLimits(Lower(share_upload_, upload), Lower(share_download_, download));
}

void DaemonTransfer::Tick(Instant now) {
  if (!running()) return;
  const swarm::Progress progress = hosted_->machine().progress();
  const uint64_t arrived = progress.bytes_received + progress.bytes_from_web;
  if (now > ticked_) {
    rates_.received = Smoothed(rates_.received, arrived - arrived_, now - ticked_);
    rates_.sent = Smoothed(rates_.sent, progress.bytes_sent - ticked_progress_.bytes_sent, now - ticked_);
  }
  if (arrived != arrived_) last_arrival_ = now;
  CountOffering(now);
  ticked_ = now;
  arrived_ = arrived;
  ticked_progress_ = progress;
  const bool waits = order_.timeout_seconds != 0 && !hosted_->offers() &&
                     hosted_->machine().phase() != "offering" && then_ == Then::kFail && error_.empty();
  if (!waits || now - last_arrival_ < Seconds(order_.timeout_seconds)) return;
  const bool nobody = progress.tracker_answered || !kept_.web_seeds.seeds.empty();
  Fail(nobody ? absl::StrCat(name_, ": nobody has ", progress.bytes_verified == 0 ? "it" : "the rest of it",
                             ", nothing has arrived for ", order_.timeout_seconds, " s")
              : absl::StrCat("no tracker answers: ", troubles_->ToString()),
       nobody ? ExitStatus::kNobodyHasIt : ExitStatus::kNoTracker);
  Stop(Then::kFail);
}

const char* DaemonTransfer::StateName() const {
  switch (state_) {
    case State::kPreparing:
      return "preparing";
    case State::kLooking:
      return "checking";
    case State::kStopping:
      return "stopping";
    case State::kPaused:
      return "paused";
    case State::kComplete:
      return seeded_ ? "seeded" : "complete";
    case State::kFailed:
      return "failed";
    case State::kRunning:
      break;
  }
  const std::string_view phase = hosted_->machine().phase();
  if (phase == "offering") return "offering";
  if (phase == "verifying") return "checking";
  if (phase == "magnet" || phase == "fetching") return "fetching";
  if (phase == "finishing") return "finishing";
  return phase == "stopping" || phase == "stopped" ? "stopping" : "downloading";
}

Json DaemonTransfer::ToJson() const {
  const swarm::Progress progress = hosted_ == nullptr ? progress_ : hosted_->machine().progress();
  Json json = OrderJson(order_);
  json["id"] = id_;
  json["state"] = StateName();
  json["name"] = name_;
  json["content"] = content_;
  json["target"] = target_;
  json["length"] = progress.length;
  json["verified"] = progress.bytes_verified;
  json["pieces"] = progress.pieces;
  json["pieces_verified"] = progress.pieces_verified;
  json["pieces_rejected"] = progress.pieces_rejected;
  json["received"] = progress.bytes_received;
  json["from_web"] = progress.bytes_from_web;
  json["sent"] = sent();
  json["ratio"] = static_cast<double>(RatioPermille(sent(), progress.length)) / 1000;
  json["offered_seconds"] = offered_for_.seconds();
  json["receives_per_second"] = rates_.received;
  json["sends_per_second"] = rates_.sent;
  json["peers"] = hosted_ == nullptr ? 0 : progress.peers_connected;
  json["sources"] = sources_.size();
  json["present"] = present_;
  json["peers_known"] = progress.peers_known;
  json["banned"] = progress.peers_banned;
  json["offered"] = offered_ && running();
  json["already_there"] = already_there_;
  json["listen"] = surroundings_.listen.ToString();
  if (!error_.empty()) json["error"] = {{"reason", error_}, {"exit_status", static_cast<int>(error_exit_)}};
  return json;
}

}  // namespace bt::nodes
