#include "sim/scenarios/swarm_world.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace bt::sim {

// --- ClientAdaptor ---

std::unique_ptr<swarm::Client> ClientAdaptor::Make(ClientHost& host) {
  swarm::Config config;
  const Metainfo& metainfo = swarm_->judge().metainfo();
  if (!plan_.honest) {
    host.files().Provide(metainfo.name, swarm_->wrong_content());
  } else if (!plan_.downloads) {
    host.files().Provide(metainfo.name, swarm_->judge().content());
  }
  swarm_->judge().OnStart(host.name());
  // A download that was finished before the process died is offered by the next one.
  const bool has_it = host.files().Look(metainfo.name).has_value();
  if (has_it && plan_.downloads) {
    finished_ = true;
    swarm_->judge().OnFinished(host.name(), *host.files().Look(metainfo.name));
  }
  config.role = has_it ? swarm::Role::kOffer : swarm::Role::kDownload;
  if (plan_.by_key && !has_it) {
    config.key = metainfo.content();
  } else {
    config.metainfo = metainfo;
  }
  config.listen = plan_.address;
  config.trackers = swarm_->cluster().size();
  config.skip_verify = !plan_.honest;
  config.keep_offering = plan_.keep_offering;
  config.wait_for_registration = true;
  return std::make_unique<swarm::Client>(config);
}

void ClientAdaptor::Transmit(ClientHost& host, NodeId to, const Slice& message) {
  host.network().Send(host.index(), to.value(), message);
}

void ClientAdaptor::Deliver(ClientHost& host, uint32_t from, const Slice& bytes) {
  host.Receive(NodeId(from), bytes);
}

Slice ClientAdaptor::PieceBytes(ClientHost& host, uint32_t piece) {
  const Metainfo& metainfo = swarm_->judge().metainfo();
  return host.files()
      .Read(swarm::kContentFile, uint64_t{piece} * metainfo.piece_length, metainfo.piece_size(piece))
      .value_or(Slice());
}

// What a client takes up again at its start is right, but for what others have changed in its file.
void ClientAdaptor::CheckResumed(ClientHost& host) {
  SwarmIntegrity& judge = swarm_->judge();
  for (const uint64_t offset : host.files().TakeAltered(judge.metainfo().name + ".part")) {
    judge.OnAltered(host.name(), plan_.address, offset);
  }
  const PieceMap& pieces = host.machine()->verified();
  for (uint32_t i = 0; i < pieces.size(); ++i) {
    if (pieces.Has(PieceIndex(i))) judge.OnResumed(host.name(), i, PieceBytes(host, i).view());
  }
}

void ClientAdaptor::Note(ClientHost& host, const swarm::Protocol::Note& note) {
  if (!plan_.honest) return;
  SwarmIntegrity& judge = swarm_->judge();
  if (const auto* verified = std::get_if<swarm::PieceVerified>(&note)) {
    const uint32_t piece = verified->piece.value();
    judge.OnVerified(host.name(), piece, PieceBytes(host, piece).view());
  } else if (std::holds_alternative<swarm::FileReady>(note)) {
    CheckResumed(host);
  } else if (const auto* rejected = std::get_if<swarm::PieceRejected>(&note)) {
    judge.OnRejected(host.name(), rejected->piece.value(), rejected->peers);
  } else if (const auto* banned = std::get_if<swarm::PeerBanned>(&note)) {
    judge.OnBanned(host.name(), banned->peer);
  } else if (std::holds_alternative<swarm::DownloadComplete>(note)) {
    finished_ = true;
    judge.OnFinished(host.name(), host.files().Look(judge.metainfo().name).value_or(std::string_view()));
  } else if (const auto* failed = std::get_if<swarm::Failed>(&note)) {
    judge.OnFailed(host.name(), failed->reason);
  } else if (const auto* unusable = std::get_if<swarm::PieceUnusable>(&note)) {
    judge.OnUnusable(host.name(), unusable->piece.value(), unusable->why);
  }
}

void ClientAdaptor::Serves(ClientHost& host, const LinkSendFile& send, std::string_view bytes) {
  if (plan_.honest) {
    swarm_->judge().OnServed(host.name(), send.offset, bytes);
  } else if (bytes != swarm_->judge().content().view().substr(send.offset, bytes.size())) {
    host.world().Count(Fault::kWrongBytes);
  }
}

// --- InquiryAdaptor ---

std::unique_ptr<swarm::Inquiry> InquiryAdaptor::Make(InquiryHost& host) {
  (void)host;
  return std::make_unique<swarm::Inquiry>(
      swarm_->cluster().size(), tracker_api::Register{{}, swarm_->judge().metainfo()}, Seconds(600));
}

void InquiryAdaptor::Transmit(InquiryHost& host, NodeId to, const Slice& message) {
  host.network().Send(host.index(), to.value(), message);
}

void InquiryAdaptor::Deliver(InquiryHost& host, uint32_t from, const Slice& bytes) {
  host.Receive(NodeId(from), bytes);
}

void InquiryAdaptor::Note(InquiryHost& host, const swarm::Protocol::Note& note) {
  const auto* done = std::get_if<swarm::InquiryDone>(&note);
  if (done == nullptr) return;
  const auto outcome = done->response.outcome;
  if (outcome != tracker_api::Outcome::kCreated && outcome != tracker_api::Outcome::kOk) {
    return host.world().Fail("answers: the only registration was told " + TraceText(done->response));
  }
  registered_ = true;
}

// --- SwarmWorld ---

SwarmWorld::SwarmWorld(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
                       const FaultPlan& plan)
    : world_(world), network_(network), streams_(streams), cluster_(cluster) {
  RandomStream rng = world.Stream("swarm");
  MakeContent(rng);
  const uint64_t seeders = rng.Between(1, 4);
  const uint64_t downloaders = rng.Between(1, 4);
  const uint64_t liars = rng.Chance(1, 2) ? 0 : rng.Between(1, 4);
  for (uint64_t i = 0; i < seeders; ++i) {
    AddClient(plan, {.name = absl::StrFormat("seeder-%d", i + 1), .address = NextAddress()});
  }
  for (uint64_t i = 0; i < downloaders; ++i) {
    AddClient(plan, {.name = absl::StrFormat("loader-%d", i + 1),
                     .address = NextAddress(),
                     .downloads = true,
                     .by_key = rng.Chance(1, 2),
                     .keep_offering = rng.Chance(3, 4)});
  }
  for (uint64_t i = 0; i < liars; ++i) {
    AddClient(plan, {.name = absl::StrFormat("liar-%d", i + 1), .address = NextAddress(), .honest = false});
  }
  for (uint8_t vice = 0; vice < static_cast<uint8_t>(Vice::kCount); ++vice) {
    if (!rng.Chance(1, 4)) continue;
    byzantine_.push_back(std::make_unique<ByzantinePeer>(world, network, streams, cluster, *judge_,
                                                         NextAddress(), static_cast<Vice>(vice)));
  }
  registrar_ = std::make_unique<InquiryHost>(world, network, nullptr, HostOptions{.name = "registrar"},
                                             InquiryAdaptor(this));
}

Address SwarmWorld::NextAddress() { return Address::V4(10, 2, 0, ++addresses_, 6881); }

void SwarmWorld::MakeContent(RandomStream& rng) {
  const uint32_t piece_length = kPieceLengthMin << (rng.Chance(2, 3) ? 0 : rng.Between(1, 2));
  const uint64_t length = rng.Chance(1, 8) ? rng.Between(1, 20'000) : rng.Between(1, 600'000);
  const auto fill = [&](uint64_t seed) {
    std::string bytes(length, '\0');
    Rng source(seed);
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = source.Next();
      std::memcpy(bytes.data() + i, &word, std::min<size_t>(8, bytes.size() - i));
    }
    return bytes;
  };
  const uint64_t seed = rng.Next();
  content_ = Slice::Own(fill(seed));
  // Wrong from the first byte on in some pieces, right in others.
  std::string wrong(content_.view());
  const std::string other = fill(seed + 1);
  const bool all = rng.Chance(1, 2);
  for (uint64_t at = 0; at < length; at += kBlockSize) {
    const uint64_t size = std::min<uint64_t>(kBlockSize, length - at);
    if (all || at == 0 || rng.Chance(1, 3)) wrong.replace(at, size, other, at, size);
  }
  wrong_content_ = Slice::Own(std::move(wrong));
  MetainfoBuilder builder(kName, length, piece_length);
  builder.Update(content_.view());
  judge_ = std::make_unique<SwarmIntegrity>(world_, builder.Finish(), content_);
}

void SwarmWorld::AddClient(const FaultPlan& plan, ClientPlan client) {
  HostOptions options;
  options.name = client.name;
  options.disk = plan.disk;
  options.clock = plan.clock;
  options.address = client.address;
  if (client.honest) judge_->AddHonest(client.address);
  clients_.push_back(std::make_unique<ClientHost>(world_, network_, &streams_, options,
                                                  ClientAdaptor(this, std::move(client))));
}

void SwarmWorld::Start() {
  registrar_->Start();
  for (const auto& client : clients_) client->Start();
  for (const auto& peer : byzantine_) peer->Begin();
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
  for (const auto& client : clients_) {
    if (!client->adaptor().plan().honest) endpoints.push_back(client->index());
  }
  for (const auto& peer : byzantine_) endpoints.push_back(peer->index());
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

}  // namespace bt::sim
