#include "core/swarm/client.h"

#include <utility>

#include "core/swarm/engine.h"

namespace bt::swarm {

Client::Client(Config config) : engine_(std::make_unique<Engine>(std::move(config))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::Step(const Input<Protocol>& input, Context<Protocol>& context) { engine_->Step(input, context); }
void Client::CheckInvariants() const { engine_->CheckInvariants(); }
uint64_t Client::Digest() const { return engine_->Digest(); }
const Config& Client::config() const { return engine_->config(); }
const Metainfo* Client::metainfo() const { return engine_->metainfo(); }
const PieceMap& Client::verified() const { return engine_->verified(); }
swarm::Progress Client::progress() const { return engine_->progress(); }
bool Client::stopped() const { return engine_->phase() == Engine::Phase::kStopped; }
const std::array<uint8_t, 20>& Client::id() const { return engine_->id(); }
std::vector<PeerView> Client::peers() const { return engine_->peers(); }
bool Client::IsBanned(const Address& peer) const { return engine_->IsBanned(peer); }

std::string_view Client::phase() const {
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
