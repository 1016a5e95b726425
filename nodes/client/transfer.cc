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

#include "core/swarm/client.h"
#include "core/swarm/info_hashes.h"
#include "net/host.h"
#include "net/resolve.h"
#include "net/stream_links.h"
#include "nodes/client/download_target.h"
#include "nodes/client/reporter.h"
#include "nodes/content/block_store.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace {

// A download that has met no peer by then says that it waits.
constexpr Duration kPatienceWithoutPeers = Seconds(5);
constexpr Duration kTimeoutPeriod = Milliseconds(200);  // how often --timeout is looked at

class Transfer {
 public:
  using Host = net::Host<swarm::Client, Transfer, BlockStore>;

  explicit Transfer(TransferSetup setup)
      : setup_(std::move(setup)),
        offer_(setup_.config.role == swarm::Role::kOffer),
        reporter_(setup_.command, setup_.json),
        troubles_(setup_.trackers) {}

  ExitStatus Run() {
    // Before the block store's threads are started.
    loop_.OnSignals({SIGINT, SIGTERM}, [this](int signal) { OnStopSignal(signal); });
    links_ = std::make_unique<net::StreamLinks>(loop_, net::StreamLinksOptions{});
    files_ = std::make_unique<BlockStore>(loop_, BlockStoreOptions{},
                                          [this](const swarm::OpenFile& open) { return Place(open); });
    asker_ =
        std::make_unique<TrackerAsker>(loop_, setup_.trackers, std::string(), WhatIsAnnounced(),
                                       [this](NodeId from, swarm::Protocol::Message message) {
                                         host_->Deliver(Received<swarm::Protocol>{from, std::move(message)});
                                       });
    web_ =
        std::make_unique<WebClient>(loop_, setup_.web_seeds, [this](NodeId from, swarm::RangeFetched answer) {
          host_->Deliver(Received<swarm::Protocol>{from, std::move(answer)});
        });
    reporter_.WebSeeds(setup_.web_seeds.names);
    const absl::StatusOr<Address> listening = Listen();
    if (!listening.ok()) {
      reporter_.Failed(absl::StrCat("--listen ", setup_.listen, ": ", Message(listening.status())));
      return unreadable_listen_ ? ExitStatus::kWrongUsage : ExitStatus::kFailed;
    }
    listen_ = *listening;
    WarnOfUnreachableClaim();
    setup_.config.listen = listen_;
    setup_.config.trackers = static_cast<uint32_t>(setup_.trackers.addresses.size());
    setup_.config.web_seeds = static_cast<uint32_t>(setup_.web_seeds.seeds.size());
    host_ = std::make_unique<Host>(loop_, std::make_unique<swarm::Client>(setup_.config), *this,
                                   Host::Parts{.links = links_.get(), .files = files_.get()});
    for (const std::string& warning : setup_.trackers.warnings) reporter_.Warning(warning);
    for (const std::string& warning : setup_.web_seeds.warnings) reporter_.Warning(warning);
    reporter_.Listening(listen_);
    started_ = net::Loop::ReadClock();
    progress_timer_.Arm(started_ + reporter_.period());
    if (setup_.timeout > Duration{}) timeout_timer_.Arm(started_ + kTimeoutPeriod);
    last_arrival_ = started_;
    host_->Start({});
    if (!ended_) loop_.Run();
    if (failure_) return *failure_;
    // An offer ends by being stopped; a download is stopped before it is done.
    if (offer_ ? offering_told_ : complete_) return ExitStatus::kDone;
    return stop_signal_ != 0 ? StoppedBy(stop_signal_) : ExitStatus::kFailed;
  }

  // The torrent of a download whose file was there already and right.
  const Metainfo* already_there() const { return already_there_ ? host_->machine().metainfo() : nullptr; }

  // --- for the host ---

  void SendMessage(NodeId to, const swarm::Protocol::Message& message) {
    const auto* fetch = std::get_if<swarm::FetchRange>(&message);
    if (fetch == nullptr) return asker_->Send(to, message);
    web_->Send(to, *fetch, *host_->machine().metainfo());
  }
  void OnReply(CallId, swarm::Protocol::Response) {}
  void OnFatal(absl::Status) {}
  void OnNote(swarm::Protocol::Note note) {
    std::visit([this](auto& event) { On(event); }, note);
  }

 private:
  void On(const swarm::TorrentKnown& note) {
    name_ = note.name;
    reporter_.TorrentKnown(note);
    const swarm::Selection& selection = selected();
    // A directory that holds a part of a tree is offered by who goes on from its download alone.
    if (offer_ || (selection.given() && setup_.config.keep_offering)) return;
    if (!HoldsContent(Target(), *host_->machine().metainfo(), selection)) return;
    already_there_ = complete_ = true;
    reporter_.AlreadyThere(note.name, Target(), selection.bytes());
    End();
  }
  void On(const swarm::FileReady& note) {
    const swarm::Progress progress = host_->machine().progress();
    present_ = progress.bytes_verified;
    reporter_.Begin(progress, loop_.now());
    reporter_.Checked(note, path_);
  }
  void On(const swarm::PieceUnusable& note) { reporter_.Unusable(note); }
  void On(const swarm::PieceVerified&) {}
  void On(const swarm::PieceRejected& note) { reporter_.Rejected(note); }
  void On(const swarm::PeerConnected& note) { sources_.insert(note.peer); }
  void On(const swarm::PeerDisconnected&) {}
  void On(const swarm::PeerBanned& note) { reporter_.Banned(note); }
  void On(const swarm::Offered& note) {
    const swarm::Client& client = host_->machine();
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
      return reporter_.AlreadyThere(name_, path_, length);
    reporter_.Complete(name_, path_, length, length - present_, net::Loop::ReadClock() - started_,
                       sources_.size(), host_->machine().progress().bytes_from_web);
  }
  void On(const swarm::Failed& note) {
    if (already_there_) return;  // the file that is there was not to be opened for writing
    if (note.cause == swarm::FailureCause::kNoTracker) return NoTracker();
    failure_ = note.cause == swarm::FailureCause::kNotFound ? ExitStatus::kNotFound : ExitStatus::kFailed;
    // The machine knows the torrent's name, the user the file's.
    const bool named = !offer_ || note.reason.find(setup_.path) != std::string::npos;
    reporter_.Failed(named ? note.reason : absl::StrCat(setup_.path, ": ", note.reason));
  }
  void On(const swarm::Stopped&) { End(); }
  void On(const swarm::InquiryDone&) {}

  FilePlace Place(const swarm::OpenFile&) { return {Target(), false}; }

  // The file or directory to be offered, or made. The torrent is known.
  const std::string& Target() {
    if (!path_.empty()) return path_;
    path_ = offer_ ? setup_.path : DownloadPath(setup_.path, *host_->machine().metainfo(), selected());
    return path_;
  }
  const swarm::Selection& selected() const { return *host_->machine().selection(); }

  void End() {
    ended_ = true;
    loop_.Stop();
  }

  // Without --listen: every address of both families, so that a claim names a place where this process
  // listens whatever family the trackers are reached by. A machine without IPv6 has the other family alone.
  absl::StatusOr<Address> Listen() {
    if (setup_.listen.empty()) {
      absl::StatusOr<Address> both = links_->Listen(Address{});
      return both.ok() ? both : links_->Listen(Address::V4(0, 0, 0, 0, 0));
    }
    const absl::StatusOr<Address> wanted = net::Resolve(setup_.listen);
    unreadable_listen_ = !wanted.ok();
    return wanted.ok() ? links_->Listen(*wanted) : wanted.status();
  }

  // For trackers that are asked over UDP. The machine names the content; there it goes by an info-hash, which
  // is the one under which peers are dialled first.
  Announced WhatIsAnnounced() {
    Announced announced;
    announced.info_hash = [this](const tracker_api::TorrentKey& key) -> std::optional<InfoHash> {
      if (const auto* hash = std::get_if<InfoHash>(&key)) return *hash;
      const Metainfo* metainfo = host_->machine().metainfo();
      if (metainfo == nullptr) return std::nullopt;
      return swarm::InfoHashes(*metainfo, setup_.config.format, setup_.config.key).ToDial(0).hash;
    };
    announced.listen = [this] { return listen_; };
    announced.left = [this]() -> uint64_t {
      const Metainfo* metainfo = host_->machine().metainfo();
      if (metainfo == nullptr) return 1;
      if (host_->machine().verified().all()) return 0;
      // Of everything: who has what it selected still has not all.
      const uint64_t held = host_->machine().progress().bytes_held;
      return std::max<uint64_t>(1, metainfo->length - std::min(metainfo->length, held));
    };
    return announced;
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

  void Stop() { host_->Deliver(Call<swarm::Protocol>{CallId(1), swarm::Stop{}}); }

  void OnStopSignal(int signal) {
    if (stop_signal_ != 0) ::_exit(static_cast<int>(StoppedBy(signal)));
    stop_signal_ = signal;
    if (!complete_ && !offer_) reporter_.Warning("stopping; what is verified is kept, run it again to go on");
    Stop();
  }

  void OnTimeoutTimer() {
    const Instant now = net::Loop::ReadClock();
    if (complete_ || failure_ || stop_signal_ != 0) return;
    const swarm::Progress progress = host_->machine().progress();
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
    Stop();
  }

  void OnProgressTimer() {
    const Instant now = net::Loop::ReadClock();
    progress_timer_.Arm(now + reporter_.period());
    if (host_ == nullptr || stop_signal_ != 0) return;
    if (!name_.empty()) reporter_.Progress(host_->machine().progress(), now);
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
  std::string path_;
  Instant started_;
  uint64_t present_ = 0;  // bytes that were there already
  absl::btree_set<Address> sources_;
  bool waiting_told_ = false;
  bool offering_told_ = false;
  bool complete_ = false;
  bool already_there_ = false;
  bool unreadable_listen_ = false;
  bool ended_ = false;
  int stop_signal_ = 0;
  std::optional<ExitStatus> failure_;
  uint64_t received_ = 0;  // bytes from peers and web servers, when last looked at
  Instant last_arrival_;

  net::Loop loop_;
  net::Timer progress_timer_{loop_, [this] { OnProgressTimer(); }};
  net::Timer timeout_timer_{loop_, [this] { OnTimeoutTimer(); }};
  std::unique_ptr<net::StreamLinks> links_;
  std::unique_ptr<BlockStore> files_;
  std::unique_ptr<TrackerAsker> asker_;
  std::unique_ptr<WebClient> web_;
  std::unique_ptr<Host> host_;
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
