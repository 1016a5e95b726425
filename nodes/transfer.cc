#include "nodes/transfer.h"

#include <absl/container/btree_set.h>
#include <absl/strings/str_cat.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <variant>

#include "core/swarm/client.h"
#include "net/block_store.h"
#include "net/host.h"
#include "net/stream_links.h"
#include "nodes/reporter.h"
#include "nodes/text.h"

namespace bt::nodes {

namespace {

// A download that has met no peer by then says that it waits.
constexpr Duration kPatienceWithoutPeers = Seconds(5);

// A directory, or what can only be meant as one, takes the torrent's name below it.
std::string DownloadPath(const std::string& output, const std::string& name) {
  if (output.empty()) return name;
  struct stat info {};
  const bool directory = ::stat(output.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  if (output.back() == '/') return output + name;
  return directory ? output + "/" + name : output;
}

class Transfer {
 public:
  using Host = net::Host<swarm::Client, Transfer>;

  explicit Transfer(TransferSetup setup)
      : setup_(std::move(setup)),
        offer_(setup_.config.role == swarm::Role::kOffer),
        reporter_(setup_.command, setup_.json),
        troubles_(setup_.trackers) {}

  int Run() {
    // Before the block store's threads are started.
    loop_.OnSignals({SIGINT, SIGTERM}, [this](int) { OnStopSignal(); });
    const absl::StatusOr<Address> wanted = net::Resolve(setup_.listen);
    if (!wanted.ok()) {
      reporter_.Failed(absl::StrCat("--listen ", setup_.listen, ": ", Message(wanted.status())));
      return 2;
    }
    links_ = std::make_unique<net::StreamLinks>(loop_, net::StreamLinksOptions{});
    files_ = std::make_unique<net::BlockStore>(loop_, net::BlockStoreOptions{},
                                               [this](const OpenFile& open) { return Place(open); });
    asker_ =
        std::make_unique<TrackerAsker>(loop_, setup_.trackers.addresses, std::string(),
                                       [this](NodeId from, swarm::Protocol::Message message) {
                                         host_->Deliver(Received<swarm::Protocol>{from, std::move(message)});
                                       });
    const absl::StatusOr<Address> listening = links_->Listen(*wanted);
    if (!listening.ok()) {
      reporter_.Failed(absl::StrCat("--listen ", setup_.listen, ": ", Message(listening.status())));
      return 1;
    }
    listen_ = *listening;
    setup_.config.listen = listen_;
    setup_.config.trackers = static_cast<uint32_t>(setup_.trackers.addresses.size());
    host_ = std::make_unique<Host>(loop_, std::make_unique<swarm::Client>(setup_.config), *this,
                                   net::HostParts{.links = links_.get(), .files = files_.get()});
    for (const std::string& warning : setup_.trackers.warnings) reporter_.Warning(warning);
    reporter_.Listening(listen_);
    started_ = net::Loop::ReadClock();
    progress_timer_.Arm(started_ + reporter_.period());
    host_->Start({});
    if (!stopped_) loop_.Run();
    if (failed_) return 1;
    return offer_ || complete_ ? 0 : 1;
  }

  // --- for the host ---

  void SendMessage(NodeId to, const swarm::Protocol::Message& message) { asker_->Send(to, message); }
  void OnReply(CallId, swarm::Protocol::Response) {}
  void OnFatal(absl::Status) {}
  void OnNote(swarm::Protocol::Note note) {
    std::visit([this](auto& event) { On(event); }, note);
  }

 private:
  void On(const swarm::TorrentKnown& note) {
    name_ = note.name;
    reporter_.TorrentKnown(note);
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
    if (stopping_ && note.pieces == 0) reporter_.Withdrawn(name_);
  }
  void On(const swarm::TrackerTrouble& note) {
    reporter_.Trouble(setup_.trackers.names.at(note.tracker.value()), note.why);
    troubles_.Add(note.tracker, note.why);
  }
  void On(const swarm::PeersFound&) {}
  void On(const swarm::DownloadComplete& note) {
    complete_ = true;
    reporter_.Complete(name_, path_, note.content.length, note.content.length - present_,
                       net::Loop::ReadClock() - started_, sources_.size());
  }
  void On(const swarm::Failed& note) {
    failed_ = true;
    if (note.cause == swarm::FailureCause::kNoTracker) {
      return reporter_.Failed(absl::StrCat(offer_ ? setup_.path : setup_.what,
                                           ": no tracker answers: ", troubles_.ToString(),
                                           "; start one, or name another with --tracker"));
    }
    // The machine knows the torrent's name, the user the file's.
    const bool named = !offer_ || note.reason.find(setup_.path) != std::string::npos;
    reporter_.Failed(named ? note.reason : absl::StrCat(setup_.path, ": ", note.reason));
  }
  void On(const swarm::Stopped&) {
    stopped_ = true;
    loop_.Stop();
  }
  void On(const swarm::InquiryDone&) {}

  net::FilePlace Place(const OpenFile& open) {
    path_ = offer_ ? setup_.path : DownloadPath(setup_.path, open.name);
    return {path_, false};
  }

  void OnStopSignal() {
    if (stopping_) ::_exit(1);
    stopping_ = true;
    if (!complete_ && !offer_) reporter_.Warning("stopping; what is verified is kept, run it again to go on");
    host_->Deliver(Call<swarm::Protocol>{CallId(1), swarm::Stop{}});
  }

  void OnProgressTimer() {
    const Instant now = net::Loop::ReadClock();
    progress_timer_.Arm(now + reporter_.period());
    if (host_ == nullptr || stopping_) return;
    if (!name_.empty()) reporter_.Progress(host_->machine().progress(), now);
    if (!offer_ && !waiting_told_ && !name_.empty() && sources_.empty() &&
        now - started_ >= kPatienceWithoutPeers) {
      waiting_told_ = true;
      reporter_.Warning(absl::StrCat("no peer offers ", name_, " yet; waiting for one (Ctrl-C stops)"));
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
  bool failed_ = false;
  bool stopped_ = false;
  bool stopping_ = false;

  net::Loop loop_;
  net::Timer progress_timer_{loop_, [this] { OnProgressTimer(); }};
  std::unique_ptr<net::StreamLinks> links_;
  std::unique_ptr<net::BlockStore> files_;
  std::unique_ptr<TrackerAsker> asker_;
  std::unique_ptr<Host> host_;
};

}  // namespace

int RunTransfer(TransferSetup setup) { return Transfer(std::move(setup)).Run(); }

}  // namespace bt::nodes
