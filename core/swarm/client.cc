#include "core/swarm/client.h"

#include <utility>

#include "core/swarm/engine.h"
#include "core/swarm/metadata_fetch.h"

namespace bt::swarm {

Client::Client(Config config) {
  if (config.magnet && !config.metainfo) {
    fetch_ = std::make_unique<MetadataFetch>(config);
    config.key = config.magnet->v1 ? *config.magnet->v1 : CutToInfoHash(*config.magnet->v2);
  }
  engine_ = std::make_unique<Engine>(std::move(config));
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::Step(const Input<Protocol>& input, Context<Protocol>& context) {
  if (fetch_ == nullptr) return engine_->Step(input, context);
  // Limits are kept for the engine that begins with what is found.
  const auto* call = std::get_if<Call<Protocol>>(&input);
  const auto* limits = call == nullptr ? nullptr : std::get_if<SetLimits>(&call->request);
  if (limits != nullptr) engine_->SetLimits(*limits, context);
  fetch_->Step(input, context);
  std::optional<MetadataFetch::Found> found = fetch_->Take();
  if (!found) return;
  // From here on it is a download like others, of a torrent that was given.
  Config config = engine_->config();
  config.metainfo = std::move(found->metainfo);
  config.format = found->format;
  config.info = std::move(found->info);
  config.peers = std::move(found->peers);
  // Trackers of others do not register anything.
  config.wait_for_registration |= !config.info.empty();
  fetch_.reset();
  engine_ = std::make_unique<Engine>(std::move(config));
  engine_->Step(Started{}, context);
}

void Client::CheckInvariants() const { fetch_ ? fetch_->CheckInvariants() : engine_->CheckInvariants(); }
uint64_t Client::Digest() const { return fetch_ ? fetch_->Digest() : engine_->Digest(); }
const Config& Client::config() const { return engine_->config(); }
const Metainfo* Client::metainfo() const { return engine_->metainfo(); }
const Selection* Client::selection() const { return engine_->selection(); }
const PieceMap& Client::verified() const { return engine_->verified(); }
const PieceMap& Client::unproven() const { return engine_->unproven(); }
swarm::Progress Client::progress() const { return fetch_ ? fetch_->progress() : engine_->progress(); }
bool Client::stopped() const {
  return fetch_ ? fetch_->stopped() : engine_->phase() == Engine::Phase::kStopped;
}
const std::array<uint8_t, 20>& Client::id() const { return engine_->id(); }
std::vector<PeerView> Client::peers() const { return engine_->peers(); }
std::optional<Address> Client::OverlookedPeer() const { return engine_->OverlookedPeer(); }
bool Client::IsBanned(const Address& peer) const {
  return fetch_ ? fetch_->IsBanned(peer) : engine_->IsBanned(peer);
}

bool Client::Means(const InfoHash& hash) const { return engine_->Means(hash); }

std::string_view Client::phase() const {
  if (fetch_) return fetch_->stopped() ? "stopped" : "magnet";
  switch (engine_->phase()) {
    case Engine::Phase::kFetching:
      return "fetching";
    case Engine::Phase::kVerifying:
      return "verifying";
    case Engine::Phase::kDownloading:
      return "downloading";
    case Engine::Phase::kFinishing:
      return "finishing";
    case Engine::Phase::kOffering:
      return "offering";
    case Engine::Phase::kStopping:
      return "stopping";
    case Engine::Phase::kStopped:
      return "stopped";
  }
  return "";
}

}  // namespace bt::swarm
