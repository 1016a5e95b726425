#include "nodes/client/hosted_transfer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "core/swarm/info_hashes.h"
#include "nodes/client/download_target.h"
#include "nodes/client/mse_filter.h"

namespace bt::nodes {
namespace {

constexpr size_t kObfuscatedMax = 1024;

}  // namespace

HostedTransfer::HostedTransfer(net::Loop& loop, HostedSetup setup, TakeNote take_note)
    : loop_(loop), setup_(std::move(setup)), take_note_(std::move(take_note)) {
  net::StreamLinksOptions links;
  links.connection.make_filter = [this](net::FilterSide side, const Address& peer) {
    return FilterFor(side, peer);
  };
  links.dialled = [this](const Address& peer, bool up, bool spoke) { OnDialled(peer, up, spoke); };
  links_ = std::make_unique<net::StreamLinks>(loop_, std::move(links));
  files_ = std::make_unique<BlockStore>(loop_, BlockStoreOptions{}, [this](const swarm::OpenFile& file) {
    content_ = file;
    return FilePlace{Target(), false};
  });
  asker_ =
      std::make_unique<TrackerAsker>(loop_, setup_.trackers, std::string(), WhatIsAnnounced(),
                                     [this](NodeId from, swarm::Protocol::Message message) {
                                       host_->Deliver(Received<swarm::Protocol>{from, std::move(message)});
                                     });
  web_ =
      std::make_unique<WebClient>(loop_, setup_.web_seeds, [this](NodeId from, swarm::RangeFetched answer) {
        host_->Deliver(Received<swarm::Protocol>{from, std::move(answer)});
      });
}

HostedTransfer::~HostedTransfer() = default;

absl::StatusOr<Address> HostedTransfer::Listen(const std::optional<Address>& wanted) {
  // Whatever torrent a peer means, the machine has its own word for it.
  const auto take = [this](const InfoHash&, net::Accepted& accepted, const Address& peer) {
    if (started()) Adopt(std::move(accepted), peer);
    return started();
  };
  absl::StatusOr<std::unique_ptr<PeerDoor>> door =
      PeerDoor::Open(loop_, wanted, {take, [this] { return info_hashes(); }});
  if (!door.ok()) return door.status();
  door_ = *std::move(door);
  return door_->address();
}

void HostedTransfer::Start(const Address& listen) {
  listen_ = listen;
  setup_.config.listen = listen;
  setup_.config.trackers = static_cast<uint32_t>(setup_.trackers.addresses.size());
  setup_.config.web_seeds = static_cast<uint32_t>(setup_.web_seeds.seeds.size());
  host_ = std::make_unique<Host>(loop_, std::make_unique<swarm::Client>(setup_.config), *this,
                                 Host::Parts{.links = links_.get(), .files = files_.get()});
  host_->Start({});
}

void HostedTransfer::Adopt(net::Accepted accepted, const Address& peer) {
  links_->Adopt(std::move(accepted), peer);
}

std::vector<InfoHash> HostedTransfer::info_hashes() const {
  std::vector<InfoHash> hashes;
  const Metainfo* metainfo = started() ? machine().metainfo() : nullptr;
  if (metainfo == nullptr) {
    const auto* asked = setup_.config.key ? std::get_if<InfoHash>(&*setup_.config.key) : nullptr;
    if (asked != nullptr) hashes.push_back(*asked);
    const std::optional<swarm::Magnet>& magnet = setup_.config.magnet;
    if (magnet && magnet->v1) hashes.push_back(*magnet->v1);
    if (magnet && magnet->v2) hashes.push_back(CutToInfoHash(*magnet->v2));
    return hashes;
  }
  const swarm::InfoHashes known(*metainfo, setup_.config.format, setup_.config.key);
  for (uint32_t i = 0; i < known.dialled(); ++i) hashes.push_back(known.ToDial(i).hash);
  return hashes;
}

std::unique_ptr<net::Filter> HostedTransfer::FilterFor(net::FilterSide side, const Address& peer) const {
  if (side == net::FilterSide::kAccepts || !obfuscated_.contains(peer)) return nullptr;
  const std::vector<InfoHash> hashes = info_hashes();
  return hashes.empty() ? nullptr : std::make_unique<MseFilter>(hashes.front());
}

// A peer that wants Message Stream Encryption closes a connection that begins without it.
void HostedTransfer::OnDialled(const Address& peer, bool up, bool spoke) {
  if (spoke) return;
  if (!up || obfuscated_.contains(peer)) {
    obfuscated_.erase(peer);
  } else if (obfuscated_.size() < kObfuscatedMax) {
    obfuscated_.insert(peer);
  }
}

void HostedTransfer::SetLimits(uint64_t upload, uint64_t download) {
  host_->Deliver(Call<swarm::Protocol>{CallId(2), swarm::SetLimits{.upload = upload, .download = download}});
}

void HostedTransfer::Stop() { host_->Deliver(Call<swarm::Protocol>{CallId(1), swarm::Stop{}}); }

const std::string& HostedTransfer::Target() {
  if (!path_.empty()) return path_;
  path_ = offers() ? setup_.path : DownloadPath(setup_.path, *machine().metainfo(), selected());
  return path_;
}

net::FileRange HostedTransfer::Readable(uint64_t offset, uint64_t most) const {
  const Metainfo* metainfo = started() ? machine().metainfo() : nullptr;
  if (metainfo == nullptr) return {};
  const PieceMap& verified = machine().verified();
  const PieceMap& unproven = machine().unproven();
  const uint64_t wanted = offset + most;
  uint64_t end = offset;
  while (end < wanted && end / metainfo->piece_length < verified.size()) {
    const PieceIndex piece(static_cast<uint32_t>(end / metainfo->piece_length));
    if (!verified.Has(piece) || unproven.Has(piece)) break;
    end = std::min(wanted, (uint64_t{piece.value()} + 1) * metainfo->piece_length);
  }
  net::FileSpot spot = end > offset ? files_->Find(swarm::kContentFile, offset) : net::FileSpot{};
  if (spot.file == nullptr) return {};
  return {std::move(spot.file), spot.offset, end - offset};
}

void HostedTransfer::SendMessage(NodeId to, const swarm::Protocol::Message& message) {
  const auto* fetch = std::get_if<swarm::FetchRange>(&message);
  if (fetch == nullptr) return asker_->Send(to, message);
  web_->Send(to, *fetch, *machine().metainfo());
}

// For trackers that are asked over UDP. The machine names the content; there it goes by an info-hash, which
// is the one under which peers are dialled first.
Announced HostedTransfer::WhatIsAnnounced() {
  Announced announced;
  announced.info_hash = [this](const tracker_api::TorrentKey& key) -> std::optional<InfoHash> {
    if (const auto* hash = std::get_if<InfoHash>(&key)) return *hash;
    const std::vector<InfoHash> hashes = info_hashes();
    return hashes.empty() ? std::nullopt : std::optional(hashes.front());
  };
  announced.listen = [this] { return listen_; };
  announced.left = [this]() -> uint64_t {
    const Metainfo* metainfo = machine().metainfo();
    if (metainfo == nullptr) return 1;
    if (machine().verified().all()) return 0;
    // Of everything: who has what it selected still has not all.
    const uint64_t held = machine().progress().bytes_held;
    return std::max<uint64_t>(1, metainfo->length - std::min(metainfo->length, held));
  };
  return announced;
}

}  // namespace bt::nodes
