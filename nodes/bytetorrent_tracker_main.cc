// bytetorrent-tracker: one node of the tracker cluster.

#include <absl/strings/str_cat.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/paxos/snapshot.h"
#include "net/resolve.h"
#include "net/unix_socket.h"
#include "nodes/shared/cluster_secret.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/admin_edge.h"
#include "nodes/tracker/admission.h"
#include "nodes/tracker/alarm_log.h"
#include "nodes/tracker/audit_log.h"
#include "nodes/tracker/descriptors.h"
#include "nodes/tracker/ended_by_signals.h"
#include "nodes/tracker/first_start.h"
#include "nodes/tracker/http_edge.h"
#include "nodes/tracker/memory.h"
#include "nodes/tracker/met_peers.h"
#include "nodes/tracker/node_recording.h"
#include "nodes/tracker/operator_log.h"
#include "nodes/tracker/sentences.h"
#include "nodes/tracker/service_manager.h"
#include "nodes/tracker/tracker_edge.h"
#include "nodes/tracker/tracker_flags.h"
#include "nodes/tracker/trust_files.h"
#include "nodes/tracker/udp_service.h"
#include "nodes/tracker/walcat.h"

namespace bt::nodes {
namespace {

constexpr Duration kStopPatience = Seconds(2);  // for calls under way when the node is told to stop
constexpr Duration kAlarmsLookedAt = Seconds(1);
constexpr Duration kQuietRecovery = Seconds(1);  // one that takes longer is told of
constexpr Duration kHandOverPatience = Milliseconds(500);
constexpr Duration kRemovedIsTold = Seconds(10);  // who is no member any more hears of it until then
constexpr CallId kNobodysCall{UINT64_MAX};        // the router gives out none so high, and drops the reply

class Tracker {
 public:
  explicit Tracker(TrackerFlags flags) : flags_(std::move(flags)) {}

  int Run() {
    loop_.OnSignals(trust_.any() ? kStopAndReloadSignals : kStopSignals,
                    [this](int signal) { signal == SIGHUP ? trust_.Reload(log_) : OnStopSignal(); });
    if (const absl::Status status = Listen(); !status.ok()) return Refuse(status);
    if (state_.node == NodeId(0)) {
      EndUnless(SeekAdmission());
    } else {
      OpenJournal();
    }
    if (!failed_) loop_.Run();
    if (recording_) {
      recording_->Finish(failed_ ? "the node failed" : "the node was stopped", host_->machine().Digest());
    }
    return failed_ ? 1 : 0;
  }

  // Everything of this life is over, and the process is to begin anew.
  bool begins_anew() const { return begins_anew_; }

 private:
  // The flags' id until the cluster has given this node another.
  NodeId self() const { return state_.node == NodeId(0) ? flags_.self : state_.node; }

  void EndUnless(const absl::Status& status) {
    if (status.ok()) return;
    failed_ = true;
    Refuse(status);
    loop_.Stop();
  }

  void OpenJournal() {
    recovery_note_.Arm(loop_.now() + kQuietRecovery);
    opening_.emplace(
        loop_,
        net::JournalOptions{.directory = flags_.data_dir,
                            .identity = state_.journal_identity(),
                            .create_if_absent = false,
                            .needed_after = paxos::NeededRecords()},
        [this](absl::StatusOr<std::unique_ptr<net::Journal>> journal, net::JournalRecovery recovery) {
          if (!journal.ok()) recovery_note_.Disarm();
          EndUnless(journal.ok() ? Serve(*std::move(journal), std::move(recovery))
                                 : GiveUpJournal(journal.status()));
        });
    http_edge_->SayRecovering([this] { return tracker_api::RecoveringReason(PercentRecovered()); });
  }

  // Reading the journal and taking it up each count as half of it.
  uint32_t PercentRecovered() const {
    return host_ == nullptr ? opening_->percent() / 2 : 50 + host_->machine().percent_recovered() / 2;
  }

  // --- without an id (nodes/tracker/admission.h) ---

  // Damaged is not absent. What this node promised and accepted is in part forgotten, so it neither promises
  // nor accepts on the rest: the others let it in anew, as one that knows nothing. Where there are no others
  // nobody else can know what is lost, and it stops.
  absl::Status GiveUpJournal(const absl::Status& why) {
    const bool lost = absl::IsNotFound(why);
    if (!lost && !absl::IsDataLoss(why)) return why;
    const absl::Status status = lost ? LostJournal(flags_, state_) : why;
    if (!HasOthers(flags_)) {
      return absl::Status(status.code(),
                          absl::StrCat(status.message(),
                                       "; a cluster of one has nobody to learn it from: begin a new "
                                       "one from a backup (init --from-backup)"));
    }
    log_.Error(absl::StrCat("node ", self().value(), " gives up its journal: ", Message(status)));
    absl::StatusOr<NodeState> now = GiveUpId(flags_.data_dir, state_);
    if (!now.ok()) return now.status();
    log_.Warning(absl::StrCat("node ", self().value(), " has set what is left of it aside in ",
                              SetAsidePath(flags_.data_dir), ", where the last one set aside is kept"));
    state_ = *std::move(now);
    return SeekAdmission();
  }

  // It has voted in this life on less than it had acknowledged, and takes no further part. The journal is
  // open, and links and edges are up; all of that ends first.
  void OnForgot(const absl::Status& why) {
    log_.Error(absl::StrCat("node ", self().value(), " gives up its journal: ", Message(why)));
    const absl::StatusOr<NodeState> now = GiveUpId(flags_.data_dir, state_);
    if (!now.ok()) return OnFatal(now.status());
    begins_anew_ = true;
    loop_.Stop();
  }

  absl::Status SeekAdmission() {
    if (const auto aside = SetJournalAside(flags_.data_dir, state_); !aside.ok()) return aside;
    const std::string as = state_.replaces == NodeId(0) ? std::string("to be let in")
                                                        : absl::StrCat("to be let in anew, in place of node ",
                                                                       state_.replaces.value());
    log_.Info(absl::StrCat("node ", flags_.self.value(), " asks the members of the cluster ", as));
    http_edge_->SayRecovering(
        [as] { return absl::StrCat("recovering: this node waits ", as, "; ask another node, or again"); });
    seeker_.emplace(
        loop_, AdmissionRequestOf(flags_, state_, trust_.BeginReplicaTls(state_.secret, net::kGuest)),
        [this](AdmissionAnswer answer) { OnAdmitted(std::move(answer)); },
        [this, as](const std::string& why) {
          log_.Warning(absl::StrCat("node ", flags_.self.value(), " waits ", as, ": ", why));
        });
    return absl::OkStatus();
  }

  void OnAdmitted(AdmissionAnswer answer) {
    for (const NodeContact& member : answer.members) {
      const absl::StatusOr<MemberAddress> where = ParseMemberAddress(member.contact);
      if (where.ok()) known_.emplace(member.id, *where);
    }
    const NodeId replaces = state_.replaces;
    absl::StatusOr<NodeState> now = TakeId(flags_.data_dir, state_, answer.id);
    if (!now.ok()) return EndUnless(now.status());
    state_ = *std::move(now);
    if (answer.admission == Admission::kAdmitted) {
      log_.Info(
          absl::StrCat("node ", flags_.self.value(), " is let in as node ", state_.node.value(),
                       replaces == NodeId(0) ? "" : absl::StrCat(", in place of node ", replaces.value()),
                       ": it learns what the others know, and votes when it has caught up"));
    }
    open_next_.Arm(loop_.now());
  }

  int Refuse(const absl::Status& status) const {
    log_.Error(absl::StrCat("bytetorrent-tracker: ", Message(status)));
    return 1;
  }

  // Everything before the journal is read: from then on clients are told that this node is recovering.
  absl::Status Listen() {
    const EndedBySignals preparing;
    absl::StatusOr<LocalLimits> limits =
        DeriveLimits(DescriptorLimit(), flags_.memory_limit_mib, flags_.members.size());
    if (!limits.ok()) return limits.status();
    limits_ = *std::move(limits);
    limits_.clients.connection.make_filter = trust_.certificate().make_filter();
    absl::StatusOr<NodeState> state =
        StateToServe(flags_, [this](const std::string& line) { log_.Info(line); });
    if (!state.ok()) return state.status();
    state_ = *std::move(state);
    if (const absl::Status trust = trust_.Read(); !trust.ok()) return trust;
    absl::StatusOr<ClientPorts> clients = ListenForClients(flags_.own().client, flags_.udp);
    if (!clients.ok()) return clients.status();
    client_address_ = clients->http.address;
    edge_ = std::make_unique<TrackerEdge>([this](absl::Status status) { OnFatal(std::move(status)); },
                                          [this](const absl::Status& status) { OnForgot(status); },
                                          [this](const std::string& line) { log_.Info(line); });
    http_edge_ =
        std::make_unique<HttpEdge>(Identity(paxos::FirstMembership(state_.members)), edge_->router());
    server_ = std::make_unique<net::HttpServer>(
        loop_, std::move(clients->http), limits_.clients,
        [this](net::HttpExchange exchange, net::HttpRequest&& request, const Address& peer) {
          http_edge_->OnRequest(exchange, std::move(request), peer);
        },
        [this](net::HttpExchange exchange) { http_edge_->OnGone(exchange); });
    http_edge_->Attach(server_.get(), limits_);
    http_edge_->Guard(trust_.tokens(), trust_.announce_keys(), audit_);
    trust_.Tell(log_, client_address_);
    if (clients->udp) udp_.emplace(loop_, *std::move(clients->udp), edge_->router(), *http_edge_);
    if (OwnClientAddress().IsAnywhere()) log_.Warning(NoOwnAddressLine(flags_.self));
    return absl::OkStatus();
  }

  // The journal has been read: puts the node on it.
  absl::Status Serve(std::unique_ptr<net::Journal> journal, net::JournalRecovery recovery) {
    seeker_.reset();
    journal_ = std::move(journal);
    if (recovery.cut_bytes > 0) log_.Warning(CutLine(recovery, flags_.data_dir));
    const tracker::Config config = NodeConfig(self(), state_, flags_, limits_);
    recording_.emplace(loop_, flags_, config, recovery,
                       [this](const std::string& line) { log_.Warning(line); });
    host_ = std::make_unique<TrackerEdge::Host>(
        loop_, std::make_unique<tracker::TrackerNode>(config), *edge_,
        TrackerEdge::Host::Parts{.journal = journal_.get(), .recorder = recording_->recorder()},
        recording_->seed());
    if (const absl::Status status = StartLinks(); !status.ok()) return status;
    edge_->Attach(self(), host_.get(), message_links_.get(),
                  [this](const paxos::Membership& members) { OnMembersChanged(members); });
    host_->Start(std::move(recovery.records), recovery.last);
    AwaitRecovered();
    return absl::OkStatus();
  }

  // The machine takes up in short steps what the journal holds; the loop answers and ends meanwhile.
  void AwaitRecovered() {
    if (failed_ || begins_anew_) return;
    if (host_->machine().recovering()) return await_recovered_.Arm(loop_.now() + Milliseconds(5));
    EndUnless(BeginServing());
  }

  absl::Status BeginServing() {
    recovery_note_.Disarm();
    journal_->TellRoom([this](uint64_t free_bytes) {
      host_->Deliver(Call<tracker::Protocol>{kNobodysCall, tracker::DiskRoom{free_bytes}});
    });
    absl::StatusOr<net::Listener> admin = net::ListenUnix(AdminSocketIn(flags_.data_dir));
    if (!admin.ok()) return About("socket of bytetorrent cluster", admin.status());
    AdminEdge::About about{
        .cluster = ClusterId(state_.secret), .may_grow = links_ != nullptr, .audit = &audit_};
    about.own_limits = [this] { return http_edge_->OwnLimits(); };
    admin_edge_ = std::make_unique<AdminEdge>(loop_, *std::move(admin), edge_->router(), host_->machine(),
                                              std::move(about));
    ::malloc_trim(0);  // recovery's working memory is not needed again
    if (HasSetAside(flags_.data_dir)) http_edge_->SayJournalSetAside();
    http_edge_->SetIdentity(Identity(host_->machine().replica().members().membership));
    http_edge_->Begin(journal_.get(), links_.get(), edge_.get());
    serving_ = true;
    TellAlarms();
    PrintReady();
    NotifyServiceManager(kServiceReady);
    return absl::OkStatus();
  }

  absl::Status StartLinks() {
    if (flags_.own().replica.port == 0) return absl::OkStatus();  // a cluster of one that does not grow
    net::ReplicaLinksOptions options;
    options.identity = {.cluster = ClusterId(state_.secret),
                        .first_members = state_.first_members(),
                        .secret = state_.secret,
                        .self = self(),
                        .incarnation = state_.incarnation,
                        .oldest_level = tracker::kFirstLevel,
                        .newest_level = flags_.newest_level};
    absl::StatusOr<MetPeers> met = MetPeers::Read(flags_.data_dir);
    if (!met.ok()) return met.status();
    met_.emplace(*std::move(met));
    options.admit = std::bind_front(&Tracker::Admit, this);
    desk_.emplace(edge_->router(), host_->machine(),
                  [this](NodeId id) { return WhereIs(id, host_->machine().replica().members().membership); });
    options.guest = [this](const Slice& question) { return desk_->Answer(question); };
    options.tls = trust_.BeginReplicaTls(state_.secret, self());
    options.note = [this](const std::string& line) { log_.Warning(line); };
    options.linked = [this](NodeId peer, const Address& address, bool up) { OnLink(peer, address, up); };
    options.inbound_max = limits_.replica_inbound;
    options.peers = Peers(paxos::FirstMembership(state_.members));
    links_ = std::make_unique<net::ReplicaLinks>(loop_, std::move(options), net::SystemSeed());
    const absl::StatusOr<Address> address = OwnAddress("replica port", flags_.own().replica);
    if (!address.ok()) return address.status();
    const absl::StatusOr<Address> listening = links_->Listen(*address);
    if (!listening.ok()) return About("replica port", listening.status());
    message_links_ = std::make_unique<TrackerEdge::Links>(
        *links_,
        [this](NodeId from, tracker::Protocol::Message message) {
          host_->Deliver(Received<tracker::Protocol>{from, std::move(message)});
        },
        [this](NodeId peer) { host_->Deliver(PeerClosed{peer}); });
    return absl::OkStatus();
  }

  void OnLink(NodeId peer, const Address& address, bool up) const {
    const std::string line = LinkLine(self(), peer, address, up, links_->encrypted(peer));
    up ? log_.Info(line) : log_.Warning(line);
  }

  // A peer is remembered before a message is exchanged with it: it is known whenever this node crashes.
  bool Admit(NodeId peer, uint64_t incarnation, bool proven) {
    if (!met_->MayMeet(peer, incarnation) || !proven) return met_->MayMeet(peer, incarnation);
    const absl::Status remembered = met_->Meet(peer, incarnation);
    if (!remembered.ok()) OnFatal(remembered);
    return remembered.ok();
  }

  // Where the log says that a member is, or, where it does not, who let this node in, or the flags.
  std::optional<MemberAddress> WhereIs(NodeId id, const paxos::Membership& members) const {
    if (id == self()) return flags_.own();
    const paxos::Member* member = members.Find(id);
    if (member != nullptr && !member->contact.empty()) {
      const absl::StatusOr<MemberAddress> contact = ParseMemberAddress(member->contact);
      if (contact.ok()) return *contact;
    }
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
    const auto given = flags_.members.find(id);
    return given == flags_.members.end() ? std::nullopt : std::optional(given->second);
  }

  // Whom this node speaks to: the members, and those who are to vote until a change is in force. One that
  // joins knows none until one of those that it was told of has told it.
  absl::btree_map<NodeId, net::HostAndPort> Peers(const paxos::Membership& members) const {
    absl::btree_map<NodeId, net::HostAndPort> peers;
    std::vector<NodeId> others = host_->machine().replica().others();
    if (members.members.empty()) {
      for (const auto& [id, member] : known_.empty() ? flags_.members : known_) others.push_back(id);
    }
    for (const NodeId id : others) {
      // Nor the one that this node was: the port is this node's now.
      if (id == self() || id == flags_.self) continue;
      if (const std::optional<MemberAddress> where = WhereIs(id, members)) {
        peers.emplace(id, where->replica);
      } else {
        log_.Warning(absl::StrCat(
            "node ", id.value(), " is a member, and neither the log nor a flag says where: start ",
            "this node with --node ", id.value(), "=REPLICA_HOST:PORT/CLIENT_HOST:PORT"));
      }
    }
    return peers;
  }

  void OnMembersChanged(const paxos::Membership& members) {
    log_.Info(MembersLine(self(), members));
    FollowMembers();
    // And again when those who are members no longer have been told.
    follow_members_.Arm(loop_.now() + kRemovedIsTold);
  }

  void FollowMembers() {
    const paxos::Membership& members = host_->machine().replica().members().membership;
    if (links_ != nullptr) links_->SetPeers(Peers(members));
    http_edge_->SetNodes(Identity(members).nodes);
  }

  net::HostAndPort OwnClientAddress() const {
    return flags_.advertise.value_or(net::HostAndPort{flags_.own().client.host, client_address_.port});
  }

  // What answers tell of the cluster. An address that only means "here" tells a client nothing.
  EdgeIdentity Identity(const paxos::Membership& members) const {
    EdgeIdentity identity{self(), ClusterIdText(state_.secret), {}, trust_.certificate().given()};
    std::vector<NodeId> ids;
    for (const paxos::Member& member : members.members) ids.push_back(member.id);
    if (ids.empty()) {
      for (const auto& [id, member] : flags_.members) ids.push_back(id);
    }
    for (const NodeId id : ids) {
      const std::optional<MemberAddress> where = WhereIs(id, members);
      if (!where) continue;
      const net::HostAndPort client = id == self() ? OwnClientAddress() : where->client;
      if (!client.IsAnywhere()) identity.nodes.push_back({id, client.ToString()});
    }
    return identity;
  }

  void PrintReady() const {
    const std::string nodes = links_ == nullptr ? "" : flags_.own().replica.ToString();
    std::fputs(ReadyLine(self(), trust_.UrlOf(client_address_), nodes, flags_.data_dir).c_str(), stdout);
    std::fflush(stdout);
  }

  // A leader first lets another node lead, while it still answers: nobody has to find out that it is gone.
  void OnStopSignal() {
    if (!serving_) ::_exit(0);  // see EndedBySignals
    if (stopping_) ::_exit(1);
    stopping_ = true;
    NotifyServiceManager(kServiceStopping);
    log_.Info(absl::StrCat("node ", self().value(), " stops, as it was told to"));
    stop_deadline_ = loop_.now() + kStopPatience;
    if (Leads()) {
      hand_over_deadline_ = loop_.now() + kHandOverPatience;
      host_->Deliver(Call<tracker::Protocol>{kNobodysCall, tracker::Order(paxos::TransferLeadership{})});
    }
    StopWhenHandedOver();
  }

  bool Leads() const {
    const paxos::Replica& replica = host_->machine().replica();
    return replica.is_leader() && !replica.others().empty();
  }

  void StopWhenHandedOver() {
    if (Leads() && loop_.now() < hand_over_deadline_)
      return hand_over_timer_.Arm(loop_.now() + Milliseconds(2));
    server_->StopAccepting();
    if (udp_) udp_->Stop();
    admin_edge_->StopAccepting();
    StopWhenDone();
  }

  // Answers what is under way; then the journal's destructor writes what is queued.
  void StopWhenDone() {
    if (server_->open_connections() == 0 || loop_.now() >= stop_deadline_) return loop_.Stop();
    stop_timer_.Arm(loop_.now() + Milliseconds(10));
  }

  void TellAlarms() {
    trust_.RenewWhenDue(log_);
    http_edge_->NoteDescriptors();
    for (const std::string& line : alarm_log_.Lines(host_->machine().Alarms(loop_.now()), loop_.now()))
      log_.Warning(absl::StrCat("node ", flags_.self.value(), ": ", line));
    alarms_timer_.Arm(loop_.now() + kAlarmsLookedAt);
  }

  void OnFatal(absl::Status status) {
    log_.Error(absl::StrCat("node ", self().value(), " stops: ", Message(status)));
    failed_ = true;
    loop_.Stop();
  }

  const TrackerFlags flags_;
  const OperatorLog log_{flags_.log_format};
  TrustFiles trust_{flags_};
  NodeState state_;
  absl::btree_map<NodeId, MemberAddress> known_;  // the members as those say that let this node in
  LocalLimits limits_;
  Address client_address_;
  bool serving_ = false;
  bool stopping_ = false;
  bool failed_ = false;
  bool begins_anew_ = false;
  Instant stop_deadline_;
  Instant hand_over_deadline_;
  net::Loop loop_;
  AuditLog audit_{[this](const std::string& line) { log_.Info(line); }, [this] { return loop_.now(); }};
  net::Timer stop_timer_{loop_, [this] { StopWhenDone(); }};
  net::Timer recovery_note_{
      loop_, [this] { log_.Info(RecoversLine(self(), flags_.data_dir, trust_.UrlOf(client_address_))); }};
  AlarmLog alarm_log_;
  net::Timer alarms_timer_{loop_, [this] { TellAlarms(); }};
  net::Timer hand_over_timer_{loop_, [this] { StopWhenHandedOver(); }};
  net::Timer await_recovered_{loop_, [this] { AwaitRecovered(); }};
  net::Timer open_next_{loop_, [this] { OpenJournal(); }};
  net::Timer follow_members_{loop_, [this] { FollowMembers(); }};
  std::unique_ptr<TrackerEdge> edge_;
  std::unique_ptr<HttpEdge> http_edge_;
  std::optional<net::JournalOpening> opening_;
  std::optional<AdmissionSeeker> seeker_;
  std::optional<AdmissionDesk> desk_;
  std::unique_ptr<net::Journal> journal_;
  std::optional<NodeRecording> recording_;
  std::unique_ptr<TrackerEdge::Host> host_;
  std::optional<MetPeers> met_;
  std::unique_ptr<net::ReplicaLinks> links_;
  std::unique_ptr<TrackerEdge::Links> message_links_;
  std::unique_ptr<net::HttpServer> server_;
  std::optional<UdpService> udp_;
  std::unique_ptr<AdminEdge> admin_edge_;
};

int Main(int argc, char** argv) {
  PrepareProcess();
  EndWithASentenceWithoutMemory();
  int exit_code = 0;
  std::optional<TrackerFlags> flags = ParseTrackerFlags(argc, argv, exit_code);
  if (!flags) return exit_code;
  if (!flags->walcat.empty()) return Walcat(flags->walcat);
  if (flags->init) return RunInit(*flags);
  bool begins_anew = false;
  int status = 0;
  {
    Tracker tracker(*std::move(flags));
    status = tracker.Run();
    begins_anew = tracker.begins_anew();
  }
  if (!begins_anew || status != 0) return status;
  ::execv("/proc/self/exe", argv);
  std::fprintf(stderr, "bytetorrent-tracker: cannot begin anew by itself: start it again\n");
  return 1;
}

}  // namespace
}  // namespace bt::nodes

int main(int argc, char** argv) { return bt::nodes::Main(argc, argv); }
