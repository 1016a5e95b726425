#include "sim/scenarios/swarm_world.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "core/swarm/web_seed_limits.h"
#include "sim/scenarios/drawn_tree.h"
#include "sim/scenarios/swarm_knobs.h"

namespace bt::sim {

SwarmWorld::SwarmWorld(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
                       const SwarmPlan& plan)
    : world_(world),
      network_(network),
      streams_(streams),
      cluster_(cluster),
      rng_(world.Stream("swarm user's files")) {
  RandomStream rng = world.Stream("swarm");
  if (plan.given.has_value()) {
    MakeContent(rng, uint64_t{plan.given->pieces} * plan.given->piece_length, plan.given->piece_length, {});
    client_config_ = plan.given->config;
    for (ClientPlan client : plan.given->clients) {
      client.address = NextAddress();
      clients_.push_back(MakeClient(plan.faults, std::move(client)));
    }
  } else {
    formats_ = world.Stream("what files torrents are read from");
    sharing_ = world.Stream("who shares an IP address");
    if (!sharing_->Chance(1, 4)) sharing_.reset();
    DrawContent(rng);
    client_config_ = DrawSwarmConfig(rng, kPeersMax);
    if (!plan.calm) DrawRateLimits();
    if (!plan.calm) web_.emplace(world);
    if (web_.has_value() && web_->size() == 0) web_.reset();
    if (web_.has_value()) DrawWebLimit();
    AddClients(rng, plan);
    for (uint32_t i = 0; web_.has_value() && i < web_->size(); ++i) {
      if (web_->honest(i)) judge_->AddHonest(swarm::WebSeedAddress(i));
    }
  }
  rescuer_ = MakeClient(FaultPlan(), {.name = "rescuer", .address = NextAddress()});
  std::vector<Address> honest;
  for (const auto& client : clients_) {
    if (client->adaptor().plan().honest) honest.push_back(client->adaptor().plan().address);
  }
  for (uint8_t vice = 0; vice < static_cast<uint8_t>(Vice::kCount); ++vice) {
    if (plan.calm || plan.given.has_value() || !rng.Chance(1, 5)) continue;
    const Address address = NextAddress();
    judge_->AddLiar(address);
    byzantine_.push_back(std::make_unique<ByzantinePeer>(world, network, streams, cluster, *judge_, address,
                                                         static_cast<Vice>(vice), honest));
  }
  registrar_ = std::make_unique<InquiryHost>(world, network, nullptr, HostOptions{.name = "registrar"},
                                             InquiryAdaptor(this, false));
  const bool other = std::any_of(clients_.begin(), clients_.end(),
                                 [](const auto& client) { return client->adaptor().plan().other_name; });
  if (!other) return;
  other_registrar_ = std::make_unique<InquiryHost>(
      world, network, nullptr, HostOptions{.name = "registrar-2"}, InquiryAdaptor(this, true));
}

Metainfo SwarmWorld::under_other_name() const {
  Metainfo metainfo = judge_->metainfo();
  metainfo.name = kOtherName;
  return metainfo;
}

void SwarmWorld::FirstNameRegistered() {
  if (other_registrar_ != nullptr) other_registrar_->Start();
}

void SwarmWorld::AddClients(RandomStream& rng, const SwarmPlan& plan) {
  const uint64_t seeders = rng.Between(1, 4);
  const uint64_t downloaders = rng.Between(1, 4);
  const uint64_t liars = !plan.calm && rng.Chance(1, 2) ? rng.Between(1, 4) : 0;
  // More often where web servers have what no peer has.
  RandomStream losing = world_.Stream("what the web alone has");
  const bool damages = (!plan.calm && rng.Chance(1, 4)) || (web_.has_value() && losing.Chance(1, 2));
  const bool two_names = rng.Chance(1, 4);
  RandomStream selecting = world_.Stream("who selects files");
  RandomStream naming = world_.Stream("what magnet links name");
  for (uint64_t i = 0; i < seeders; ++i) {
    ClientPlan client{.name = absl::StrFormat("seeder-%d", i + 1), .address = NextAddress()};
    if (damages && rng.Chance(3, 4)) client.damaged = DrawDamage(rng);
    client.other_name = two_names && rng.Chance(1, 2);
    clients_.push_back(MakeClient(plan.faults, std::move(client)));
  }
  for (uint64_t i = 0; i < downloaders; ++i) {
    ClientPlan client{.name = absl::StrFormat("loader-%d", i + 1),
                      .address = NextAddress(),
                      .downloads = true,
                      .by_key = rng.Chance(1, 2),
                      .other_name = false,
                      // Who has it under another name does not know the info dictionary; and in a calm world
                      // time is judged.
                      .by_magnet = !two_names && !plan.calm && rng.Chance(1, 4),
                      .keep_offering = rng.Chance(3, 4)};
    client.other_name = two_names && !client.by_key && !client.by_magnet && rng.Chance(1, 2);
    client.selects = shares_a_tree() && selecting.Chance(1, 2);
    // It is nobody's claim that finds such a one later: it leaves when it is done.
    client.peers_alone = client.by_magnet && naming.Chance(1, 3);
    if (client.peers_alone) client.keep_offering = false;
    if (!plan.calm && rng.Chance(1, 4)) {
      client.part = static_cast<PartFile>(rng.Below(static_cast<uint64_t>(PartFile::kCount)));
    }
    clients_.push_back(MakeClient(plan.faults, std::move(client)));
  }
  for (uint64_t i = 0; i < liars; ++i) {
    clients_.push_back(MakeClient(
        plan.faults, {.name = absl::StrFormat("liar-%d", i + 1), .address = NextAddress(), .honest = false}));
  }
  if (plan.calm || !world_.Stream("whose torrent contradicts itself").Chance(1, 6)) return;
  ClientPlan contradiction{.name = "contradiction", .address = NextAddress(), .honest = false};
  contradiction.contradicts = true;
  clients_.push_back(MakeClient(plan.faults, std::move(contradiction)));
}

// Not all of them: a file without one good piece is not offered.
std::vector<uint32_t> SwarmWorld::DrawDamage(RandomStream& rng) const {
  const uint32_t pieces = judge_->metainfo().piece_count();
  const uint32_t good = static_cast<uint32_t>(rng.Below(pieces));
  std::vector<uint32_t> damaged;
  for (uint32_t piece = 0; piece < pieces; ++piece) {
    if (piece != good && rng.Chance(1, 2)) damaged.push_back(piece);
  }
  return damaged;
}

void SwarmWorld::DrawRateLimits() {
  RandomStream rng = world_.Stream("rate limits");
  for (uint64_t* limit : {&client_config_.upload_limit, &client_config_.download_limit}) {
    if (rng.Chance(1, 8)) *limit = rng.Between(64 << 10, 1 << 20);
  }
}

// What is fetched from web servers under a limit comes in many small ranges, and without one a whole content
// of such a world in a single one.
void SwarmWorld::DrawWebLimit() {
  RandomStream rng = world_.Stream("rate limit beside web servers");
  if (client_config_.download_limit == 0 && rng.Chance(1, 2))
    client_config_.download_limit = rng.Between(64 << 10, 1 << 20);
}

Address SwarmWorld::NextAddress() {
  ++addresses_;
  if (sharing_ && sharing_->Chance(3, 4)) {
    return Address::V4(10, 3, 0, 1, static_cast<uint16_t>(6881 + addresses_));
  }
  return Address::V4(10, 2, static_cast<uint8_t>(addresses_ >> 8), static_cast<uint8_t>(addresses_), 6881);
}

namespace {

// There is nothing between the files of a tree.
void ClearGaps(const Metainfo& form, std::string& bytes) {
  for (uint32_t piece = 0; piece < form.piece_count(); ++piece) {
    const uint64_t end = uint64_t{piece} * form.piece_length + form.piece_size(piece);
    const uint64_t next = std::min<uint64_t>(uint64_t{piece + 1} * form.piece_length, bytes.size());
    if (next > end)
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(end), bytes.begin() + static_cast<ptrdiff_t>(next),
                '\0');
  }
}

}  // namespace

void SwarmWorld::DrawContent(RandomStream& rng) {
  const uint32_t piece_length = kPieceLengthMin << (rng.Chance(2, 3) ? 0 : rng.Between(1, 2));
  if (rng.Chance(1, 4)) {
    FileTree tree = DrawTree(rng, piece_length);
    const uint64_t length = tree.length();
    return MakeContent(rng, length, piece_length, std::move(tree));
  }
  MakeContent(rng, rng.Chance(1, 8) ? rng.Between(1, 20'000) : rng.Between(1, 600'000), piece_length, {});
}

void SwarmWorld::MakeContent(RandomStream& rng, uint64_t length, uint32_t piece_length, FileTree tree) {
  Metainfo form{.name = kName, .length = length, .piece_length = piece_length};
  form.tree = std::move(tree);
  const auto fill = [&](uint64_t seed) {
    std::string bytes(form.end_offset(), '\0');
    Rng source(seed);
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = source.Next();
      std::memcpy(bytes.data() + i, &word, std::min<size_t>(8, bytes.size() - i));
    }
    return bytes;
  };
  const uint64_t seed = rng.Next();
  std::string right = fill(seed);
  ClearGaps(form, right);
  content_ = Slice::Own(std::move(right));
  // Wrong from the first byte on in some pieces, right in others.
  std::string wrong(content_.view());
  const std::string other = fill(seed + 1);
  const bool all = rng.Chance(1, 2);
  for (uint64_t at = 0; at < wrong.size(); at += kBlockSize) {
    const uint64_t size = std::min<uint64_t>(kBlockSize, wrong.size() - at);
    if (all || at == 0 || rng.Chance(1, 3)) wrong.replace(at, size, other, at, size);
  }
  ClearGaps(form, wrong);
  wrong_content_ = Slice::Own(std::move(wrong));
  PieceHasher hasher(form);
  std::vector<PieceHashes> pieces;
  for (uint32_t piece = 0; piece < form.piece_count(); ++piece) {
    hasher.Update(content_.view().substr(uint64_t{piece} * piece_length, form.piece_size(piece)));
    pieces.push_back(hasher.Finish(piece));
  }
  judge_ = std::make_unique<SwarmIntegrity>(world_, AssembleMetainfo(std::move(form), pieces), content_);
}

std::unique_ptr<ClientHost> SwarmWorld::MakeClient(const FaultPlan& plan, ClientPlan client) {
  if (formats_ && formats_->Chance(1, 2)) {
    constexpr TorrentFormat kFormats[] = {TorrentFormat::kHybrid, TorrentFormat::kV1, TorrentFormat::kV2};
    client.format = kFormats[formats_->Below(std::size(kFormats))];
  }
  HostOptions options;
  options.name = client.name;
  options.disk = plan.disk;
  options.clock = plan.clock;
  options.address = client.address;
  client.honest ? judge_->AddHonest(client.address) : judge_->AddLiar(client.address);
  return std::make_unique<ClientHost>(world_, network_, &streams_, options,
                                      ClientAdaptor(this, std::move(client)));
}

void SwarmWorld::Start() {
  Register();
  for (const auto& client : clients_) client->Start();
  for (const auto& peer : byzantine_) peer->Begin();
}

std::vector<Address> SwarmWorld::HonestAddresses() const {
  std::vector<Address> addresses = {rescuer_->adaptor().plan().address};
  for (const auto& client : clients_) {
    if (client->adaptor().plan().honest) addresses.push_back(client->adaptor().plan().address);
  }
  return addresses;
}

std::vector<Process*> SwarmWorld::honest() const {
  std::vector<Process*> processes;
  for (const auto& client : clients_) {
    if (client->adaptor().plan().honest) processes.push_back(client.get());
  }
  return processes;
}

std::vector<uint32_t> SwarmWorld::others() const {
  std::vector<uint32_t> endpoints = {registrar_->index()};
  if (other_registrar_ != nullptr) endpoints.push_back(other_registrar_->index());
  for (const auto& client : clients_) {
    if (!client->adaptor().plan().honest) endpoints.push_back(client->index());
  }
  for (const auto& peer : byzantine_) endpoints.push_back(peer->index());
  endpoints.push_back(rescuer_->index());
  return endpoints;
}

std::vector<Process*> SwarmWorld::DrawCore(RandomStream& rng) const {
  std::vector<Process*> core;
  bool offers = false;
  for (const auto& client : clients_) {
    const ClientPlan& plan = client->adaptor().plan();
    if (!plan.honest) continue;
    const bool needed = !plan.downloads && !offers;
    if (!needed && !rng.Chance(3, 4)) continue;
    core.push_back(client.get());
    offers |= !plan.downloads;
  }
  return core;
}

bool SwarmWorld::Finished(const std::vector<Process*>& core) {
  for (const auto& client : clients_) {
    if (!client->adaptor().plan().downloads || client->adaptor().finished()) continue;
    if (std::find(core.begin(), core.end(), client.get()) != core.end()) return false;
  }
  return true;
}

bool SwarmWorld::FinishedWithWeb(const std::vector<Process*>& core) {
  return std::none_of(clients_.begin(), clients_.end(), [&](const auto& client) {
    return client->adaptor().MayUseTheWeb() && !client->adaptor().finished() &&
           std::find(core.begin(), core.end(), client.get()) != core.end();
  });
}

std::string SwarmWorld::Situation(const std::vector<Process*>& core) {
  std::string text = registered() ? "" : "the torrent is not registered; ";
  for (const auto& client : clients_) {
    if (std::find(core.begin(), core.end(), client.get()) == core.end()) continue;
    if (!client->alive()) {
      text += client->name() + " is dead; ";
      continue;
    }
    const swarm::Progress progress = client->machine()->progress();
    text +=
        absl::StrFormat("%s is %s with %d of %d pieces and %d peers (%d known, %d banned); ", client->name(),
                        std::string(client->machine()->phase()), progress.pieces_verified, progress.pieces,
                        progress.peers_connected, progress.peers_known, progress.peers_banned);
  }
  return text;
}

// --- what the judges look at ---

std::vector<SwarmView> SwarmWorld::Views(const std::vector<Process*>& core) const {
  std::vector<SwarmView> views;
  for (const auto& client : clients_) {
    if (std::find(core.begin(), core.end(), client.get()) == core.end() || !client->alive()) continue;
    const swarm::Client& machine = *client->machine();
    if (machine.stopped() || machine.phase() == "stopping") continue;
    const ClientPlan& plan = client->adaptor().plan();
    SwarmView view{client->name(), machine.id(), machine.verified(),
                   client->adaptor().plan().downloads && machine.phase() != "offering"};
    view.trusted = !judge_->Deceived(plan.address);
    if (machine.selection() != nullptr) view.unselected = machine.selection()->unselected();
    for (swarm::PeerView& peer : machine.peers()) {
      view.peers.push_back({peer.id, std::move(peer.pieces), peer.am_interested, peer.peer_interested,
                            peer.am_choking, peer.peer_choking});
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::optional<PieceMap> SwarmWorld::Claimed(const Address& address) const {
  const TrackerHost& tracker = cluster_.host(0);
  if (cluster_.size() > 1 || !tracker.alive()) return std::nullopt;
  return ClaimAt(*tracker.machine(), address);
}

std::optional<PieceMap> SwarmWorld::ClaimAt(const tracker::TrackerNode& node, const Address& address) const {
  const tracker_api::Response found = node.registry().Lookup(
      {.torrent = judge_->metainfo().content(), .limit = tracker_api::kLookupLimit}, 0);
  const auto* peers = std::get_if<tracker_api::Peers>(&found.body);
  if (peers == nullptr) return std::nullopt;
  for (const tracker_api::PeerClaim& claim : peers->peers) {
    if (claim.peer == address) return tracker_api::PiecesOf(claim, peers->piece_count);
  }
  return std::nullopt;
}

std::string SwarmWorld::WrongClaim(const std::vector<Process*>& core,
                                   const tracker::TrackerNode& node) const {
  for (const auto& client : clients_) {
    if (std::find(core.begin(), core.end(), client.get()) == core.end() || !client->alive()) continue;
    const swarm::Client& machine = *client->machine();
    if (machine.phase() != "downloading" && machine.phase() != "offering") continue;
    if (machine.config().trackers == 0) continue;
    const std::optional<PieceMap> claimed = ClaimAt(node, client->adaptor().plan().address);
    if (claimed == machine.verified() || client->adaptor().withdrawal_may_be_late()) continue;
    // What an earlier life claimed and its crash has lost stays listed as long as this life renews its claim:
    // an offer adds to a claim, and nobody knows any more what was claimed before.
    if (client->adaptor().restarted() && claimed.has_value()) {
      PieceMap unlisted = machine.verified();
      unlisted.RemoveAll(*claimed);
      if (unlisted.none()) continue;
    }
    return absl::StrFormat("%s has %d pieces, and the tracker lists %s", client->name(),
                           machine.verified().count(),
                           claimed ? absl::StrFormat("%d", claimed->count()) : "no claim of it");
  }
  return "";
}

void SwarmWorld::CutShort(ClientHost& client) {
  world_.Trace({.who = "user"}, [&] { return "cuts the file of " + client.name() + " short"; });
  client.adaptor().FileCut(client, static_cast<uint32_t>(rng_.Below(judge_->metainfo().piece_count())));
}

void SwarmWorld::EditFile(ClientHost& client) {
  const bool put_back = client.adaptor().edited() && rng_.Chance(1, 2);
  world_.Trace({.who = "user"},
               [&] { return (put_back ? "mends the file of " : "edits the file of ") + client.name(); });
  if (put_back) return client.adaptor().FilePutBack(client);
  const uint32_t piece = static_cast<uint32_t>(rng_.Below(judge_->metainfo().piece_count()));
  client.adaptor().FileEdited(client, piece, rng_.Next());
}

std::string SwarmWorld::NotOfferedAgain(const std::vector<Process*>& core) const {
  for (const auto& client : clients_) {
    if (std::find(core.begin(), core.end(), client.get()) == core.end()) continue;
    std::string which = client->adaptor().NotOfferedAgain(*client);
    if (!which.empty()) return which;
  }
  return {};
}

std::vector<ClientHost*> SwarmWorld::Offering(const std::vector<Process*>& core) const {
  std::vector<ClientHost*> offering;
  for (const auto& client : clients_) {
    if (std::find(core.begin(), core.end(), client.get()) == core.end() || !client->alive()) continue;
    const ClientPlan& plan = client->adaptor().plan();
    const bool stays = (!plan.downloads || plan.keep_offering) && client->adaptor().untouched();
    if (stays && !plan.other_name && client->machine()->phase() == "offering")
      offering.push_back(client.get());
  }
  return offering;
}

uint64_t SwarmWorld::bytes_served() const {
  uint64_t bytes = 0;
  for (const auto& client : clients_) bytes += client->adaptor().bytes_served();
  return bytes;
}

uint64_t SwarmWorld::bytes_needed() const {
  uint64_t bytes = 0;
  for (const auto& client : clients_) bytes += client->adaptor().bytes_needed();
  return bytes;
}

}  // namespace bt::sim
