#include "nodes/client/transfer.h"

#include <absl/container/btree_set.h>
#include <absl/strings/str_cat.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "net/loop.h"
#include "net/resolve.h"
#include "nodes/client/download_target.h"
#include "nodes/client/reporter.h"
#include "nodes/shared/refusal.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace {

// A download that has met no peer by then says that it waits.
constexpr Duration kPatienceWithoutPeers = Seconds(5);
constexpr Duration kTimeoutPeriod = Milliseconds(200);  // how often --timeout is looked at

class Transfer {
 public:
  explicit Transfer(TransferSetup setup)
      : setup_(std::move(setup)),
        offer_(setup_.config.role == swarm::Role::kOffer),
        reporter_(setup_.command, setup_.json),
        troubles_(setup_.trackers) {}

  ExitStatus Run() {
    // Before the block store's threads are started.
    loop_.OnSignals({SIGINT, SIGTERM}, [this](int signal) { OnStopSignal(signal); });
    hosted_ = std::make_unique<HostedTransfer>(loop_, setup_, [this](swarm::Protocol::Note note) {
      std::visit([this](auto& event) { On(event); }, note);
    });
    reporter_.WebSeeds(setup_.web_seeds.names);
    std::optional<Address> wanted;
    if (!setup_.listen.empty()) {
      const absl::StatusOr<Address> resolved = net::Resolve(setup_.listen);
      if (!resolved.ok()) return CannotListen(resolved.status(), ExitStatus::kWrongUsage);
      wanted = *resolved;
    }
    const absl::StatusOr<Address> listening = hosted_->Listen(wanted);
    if (!listening.ok()) return CannotListen(listening.status(), ExitStatus::kFailed);
    listen_ = *listening;
    WarnOfUnreachableClaim();
    for (const std::string& warning : setup_.trackers.warnings) reporter_.Warning(warning);
    for (const std::string& warning : setup_.web_seeds.warnings) reporter_.Warning(warning);
    reporter_.Listening(listen_);
    started_ = net::Loop::ReadClock();
    progress_timer_.Arm(started_ + reporter_.period());
    if (setup_.timeout > Duration{}) timeout_timer_.Arm(started_ + kTimeoutPeriod);
    last_arrival_ = started_;
    hosted_->Start(listen_);
    if (!ended_) loop_.Run();
    if (failure_) return *failure_;
    // An offer ends by being stopped; a download is stopped before it is done.
    if (offer_ ? offering_told_ : complete_) return ExitStatus::kDone;
    return stop_signal_ != 0 ? StoppedBy(stop_signal_) : ExitStatus::kFailed;
  }

  // The torrent of a download whose file was there already and right.
  const Metainfo* already_there() const { return already_there_ ? machine().metainfo() : nullptr; }

 private:
  void On(const swarm::TorrentKnown& note) {
    name_ = note.name;
    reporter_.TorrentKnown(note);
    const swarm::Selection& selection = selected();
    // A directory that holds a part of a tree is offered by who goes on from its download alone.
    if (offer_ || (selection.given() && setup_.config.keep_offering)) return;
    if (!HoldsContent(Target(), *machine().metainfo(), selection)) return;
    already_there_ = complete_ = true;
    reporter_.AlreadyThere(note.name, Target(), selection.bytes());
    End();
  }
  void On(const swarm::FileReady& note) {
    const swarm::Progress progress = machine().progress();
    present_ = progress.bytes_verified;
    reporter_.Begin(progress, loop_.now());
    reporter_.Checked(note, Target());
  }
  void On(const swarm::PieceUnusable& note) { reporter_.Unusable(note); }
  void On(const swarm::PieceVerified&) {}
  void On(const swarm::PieceRejected& note) { reporter_.Rejected(note); }
  void On(const swarm::PeerConnected& note) { sources_.insert(note.peer); }
  void On(const swarm::PeerDisconnected&) {}
  void On(const swarm::PeerBanned& note) { reporter_.Banned(note); }
  void On(const swarm::Offered& note) {
    const swarm::Client& client = machine();
    if (offering_told_ || client.phase() != "offering" || note.pieces < client.verified().count()) return;
    offering_told_ = true;
    reporter_.Offering(note.pieces, name_, listen_);
  }
  void On(const swarm::Withdrawn& note) {
    if (stop_signal_ != 0 && note.pieces == 0) reporter_.Withdrawn(name_);
  }
  void On(const swarm::TrackerTrouble& note) {
    reporter_.Trouble(setup_.trackers.names.at(note.tracker.value()), note.why);
    troubles_.Add(note.tracker, note.why);
  }
  void On(const swarm::WebSeedTrouble& note) { reporter_.Trouble(note); }
  void On(const swarm::OfferChanged& note) { reporter_.Changed(note, name_); }
  void On(const swarm::PeersFound&) {}
  void On(const swarm::DownloadComplete&) {
    complete_ = true;
    const uint64_t length = selected().bytes();
    if (selected().given() && length > 0 && present_ == length)
      return reporter_.AlreadyThere(name_, Target(), length);
    reporter_.Complete(name_, Target(), length, length - present_, net::Loop::ReadClock() - started_,
                       sources_.size(), machine().progress().bytes_from_web);
  }
  void On(const swarm::Failed& note) {
    if (already_there_) return;  // the file that is there was not to be opened for writing
    if (note.cause == swarm::FailureCause::kNoTracker) return NoTracker();
    failure_ = note.cause == swarm::FailureCause::kNotFound ? ExitStatus::kNotFound : ExitStatus::kFailed;
    // The machine knows the torrent's name, the user the file's.
    const bool named = !offer_ || note.reason.find(setup_.path) != std::string::npos;
    reporter_.Failed(
        named ? note.reason : absl::StrCat(setup_.path, ": ", note.reason),
        hosted_->permission_denied() ? absl::StatusCode::kPermissionDenied : absl::StatusCode::kUnknown);
  }
  void On(const swarm::Stopped&) { End(); }
  void On(const swarm::InquiryDone&) {}

  const swarm::Client& machine() const { return hosted_->machine(); }
  const std::string& Target() { return hosted_->Target(); }
  const swarm::Selection& selected() const { return hosted_->selected(); }

  ExitStatus CannotListen(const absl::Status& why, ExitStatus status) {
    reporter_.Failed(absl::StrCat("--listen ", setup_.listen, ": ", Message(why)), why.code());
    return status;
  }

  void End() {
    ended_ = true;
    loop_.Stop();
  }

  // Host 0.0.0.0 is claimed as the address a tracker sees, which is an IPv6 address for some trackers.
  void WarnOfUnreachableClaim() {
    const bool any_v4 = listen_.is_v4() && listen_.ip == Address::V4(0, 0, 0, 0, 0).ip;
    for (const Address& tracker : setup_.trackers.addresses) {
      if (!any_v4 || tracker.is_v4()) continue;
      return reporter_.Warning(absl::StrCat("tracker ", tracker.ToString(),
                                            " sees an IPv6 address, where --listen ", setup_.listen,
                                            " does not listen; use [::]:PORT to be reached at both"));
    }
  }

  void NoTracker() {
    failure_ = ExitStatus::kNoTracker;
    reporter_.Failed(absl::StrCat(offer_ ? setup_.path : setup_.what, ": no tracker answers: ",
                                  troubles_.ToString(), "; start one, or name another with --tracker"));
  }

  void OnStopSignal(int signal) {
    if (stop_signal_ != 0) ::_exit(Ended(StoppedBy(signal)));
    stop_signal_ = signal;
    if (!complete_ && !offer_) reporter_.Warning("stopping; what is verified is kept, run it again to go on");
    hosted_->Stop();
  }

  void OnTimeoutTimer() {
    const Instant now = net::Loop::ReadClock();
    if (complete_ || failure_ || stop_signal_ != 0) return;
    const swarm::Progress progress = machine().progress();
    const uint64_t received = progress.bytes_received + progress.bytes_from_web;
    if (received != received_) last_arrival_ = now;
    received_ = received;
    if (now - last_arrival_ < setup_.timeout) return timeout_timer_.Arm(now + kTimeoutPeriod);
    if (!progress.tracker_answered && setup_.web_seeds.seeds.empty()) {
      NoTracker();
    } else {
      failure_ = ExitStatus::kNobodyHasIt;
      reporter_.Failed(absl::StrCat(name_.empty() ? setup_.what : name_, ": nobody has ",
                                    progress.bytes_verified == 0 ? "it" : "the rest of it",
                                    ", nothing has arrived for ", setup_.timeout.seconds(),
                                    " s; what is verified is kept, run it again to go on"));
    }
    hosted_->Stop();
  }

  void OnProgressTimer() {
    const Instant now = net::Loop::ReadClock();
    progress_timer_.Arm(now + reporter_.period());
    if (!hosted_->started() || stop_signal_ != 0) return;
    if (!name_.empty()) reporter_.Progress(machine().progress(), now);
    if (setup_.config.magnet && !waiting_told_ && name_.empty() && now - started_ >= kPatienceWithoutPeers) {
      waiting_told_ = true;
      reporter_.Warning(absl::StrCat("no tracker and no peer has told yet what ", setup_.what,
                                     " is; waiting (Ctrl-C stops)"));
    }
    if (!offer_ && !waiting_told_ && !name_.empty() && sources_.empty() &&
        now - started_ >= kPatienceWithoutPeers) {
      waiting_told_ = true;
      reporter_.Warning(absl::StrCat("no peer offers ", name_, " yet; ",
                                     setup_.web_seeds.seeds.empty()
                                         ? "waiting for one"
                                         : "the web servers that its torrent names are asked soon",
                                     " (Ctrl-C stops)"));
    }
  }

  TransferSetup setup_;
  const bool offer_;
  Reporter reporter_;
  TrackerTroubles troubles_;
  Address listen_;
  std::string name_;
  Instant started_;
  uint64_t present_ = 0;  // bytes that were there already
  absl::btree_set<Address> sources_;
  bool waiting_told_ = false;
  bool offering_told_ = false;
  bool complete_ = false;
  bool already_there_ = false;
  bool ended_ = false;
  int stop_signal_ = 0;
  std::optional<ExitStatus> failure_;
  uint64_t received_ = 0;  // bytes from peers and web servers, when last looked at
  Instant last_arrival_;

  net::Loop loop_;
  net::Timer progress_timer_{loop_, [this] { OnProgressTimer(); }};
  net::Timer timeout_timer_{loop_, [this] { OnTimeoutTimer(); }};
  std::unique_ptr<HostedTransfer> hosted_;
};

}  // namespace

ExitStatus RunTransfer(TransferSetup setup) {
  Transfer transfer(setup);
  const ExitStatus status = transfer.Run();
  const Metainfo* metainfo = transfer.already_there();
  if (metainfo == nullptr || !setup.config.keep_offering) return status;
  setup.path = DownloadPath(setup.path, *metainfo, swarm::Selection(*metainfo));
  setup.config.role = swarm::Role::kOffer;
  setup.config.metainfo = *metainfo;
  setup.config.magnet.reset();
  return Transfer(std::move(setup)).Run();
}

}  // namespace bt::nodes
