// ClientAdaptor's part that holds what a client says of itself against what it does, after each step.

#include <absl/strings/str_format.h>

#include <algorithm>
#include <string_view>
#include <variant>

#include "sim/scenarios/swarm_client.h"
#include "sim/scenarios/swarm_world.h"

namespace bt::sim {
namespace {

// Of a handshake (BEP 3): where the id stands, and what its first bytes say of who speaks (BEP 20).
constexpr std::string_view kHandshake =
    "\x13"
    "BitTorrent protocol";
constexpr size_t kIdAt = 48;
constexpr std::string_view kClientKind = "-BY";
// Every so many steps the pieces are added up, which takes a look at each of them.
constexpr uint64_t kStepsPerSum = 16;

// The bytes of the pieces that it has, of those that are selected; what it says must be that, and what it
// holds, all of them.
bool SaysItsBytes(const swarm::Client& client, const swarm::Progress& progress) {
  const Metainfo* metainfo = client.metainfo();
  if (metainfo == nullptr) return true;
  uint64_t held = 0;
  uint64_t selected = 0;
  for (uint32_t piece = 0; piece < client.verified().size(); ++piece) {
    if (!client.verified().Has(PieceIndex(piece))) continue;
    held += metainfo->piece_size(piece);
    if (client.selection()->Has(PieceIndex(piece))) selected += metainfo->piece_size(piece);
  }
  return progress.bytes_held == held && progress.bytes_verified == selected;
}

}  // namespace

// A frame begins with its length, so nothing else begins as a handshake does.
void ClientAdaptor::Links(ClientHost& host, const LinkEffect& effect) {
  if (conduct_) conduct_->OnEffect(effect, host.now());
  const auto* said = std::get_if<LinkSendBytes>(&effect);
  if (said == nullptr || !said->bytes.view().starts_with(kHandshake)) return;
  if (said->bytes.view().substr(kIdAt, kClientKind.size()) != kClientKind)
    host.world().Fail("handshakes: " + host.name() + " does not say by its id what it is");
}

// It looks at each peer, so whoever has many is looked at less often. Nobody is idle for the length of a
// step.
void ClientAdaptor::CheckIdle(ClientHost& host) {
  constexpr uint32_t kPeersAtEachStep = 8;
  const swarm::Client& client = *host.machine();
  if (++steps_ % (1 + client.progress().peers_connected / kPeersAtEachStep) != 0) return;
  if (const auto overlooked = client.OverlookedPeer()) {
    host.world().Fail(
        absl::StrFormat("idle: %s asks %s for nothing, and could", host.name(), overlooked->ToString()));
  }
}

// What it says of itself is what it does.
void ClientAdaptor::CheckProgress(ClientHost& host) {
  if (host.machine()->stopped()) return;
  const swarm::Progress progress = host.machine()->progress();
  if (steps_ % kStepsPerSum == 0 && !SaysItsBytes(*host.machine(), progress))
    host.world().Fail(
        absl::StrFormat("progress: %s says that it has %d bytes, %d of them selected, and has others",
                        host.name(), progress.bytes_held, progress.bytes_verified));
  const bool right = progress.peers_connected == conduct_->connected() &&
                     progress.bytes_sent == conduct_->bytes_sent() && progress.tracker_answered == answered_;
  if (right) return;
  host.world().Fail(absl::StrFormat(
      "progress: %s says it has %d peers, sent %d bytes and was%s answered; it has %d, sent %d and was%s",
      host.name(), progress.peers_connected, progress.bytes_sent, progress.tracker_answered ? "" : " not",
      conduct_->connected(), conduct_->bytes_sent(), answered_ ? "" : " not"));
}

// Since this life began no more bytes of blocks have come and gone than the limits let pass.
void ClientAdaptor::CheckRates(ClientHost& host) {
  const swarm::Config& config = host.machine()->config();
  const swarm::Progress progress = host.machine()->progress();
  const auto check = [&](uint64_t limit, uint64_t bytes, const char* what) {
    const uint64_t micros = static_cast<uint64_t>((host.now() - began_).micros());
    // What is saved up in a pause, and as much at once after it.
    const uint64_t most = limit / 5 + limit * micros / 1'000'000 + 2 * uint64_t{kBlockSize};
    if (limit == 0 || bytes <= most) return;
    host.world().Fail(absl::StrFormat("rate: %s has %s %d bytes, %d more than its limit lets pass",
                                      host.name(), what, bytes, bytes - most));
  };
  check(config.upload_limit, progress.bytes_sent, "sent");
  const uint64_t received = progress.bytes_received + progress.bytes_from_web;
  check(config.download_limit, received - std::min(progress.bytes_wasted, received), "received");
}

}  // namespace bt::sim
