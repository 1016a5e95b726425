#include "nodes/client/hosted_transfer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "core/swarm/info_hashes.h"
#include "nodes/client/download_target.h"

namespace bt::nodes {

HostedTransfer::HostedTransfer(net::Loop& loop, HostedSetup setup, TakeNote take_note)
    : loop_(loop), setup_(std::move(setup)), take_note_(std::move(take_note)) {
  links_ = std::make_unique<net::StreamLinks>(loop_, net::StreamLinksOptions{});
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
  const auto listen = [this](const Address& address) { return links_->Listen(address); };
  return wanted ? listen(*wanted) : ListenEverywhere(listen);
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

void HostedTransfer::Adopt(net::Fd fd, const Address& peer) { links_->Adopt(std::move(fd), peer); }

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
    const Metainfo* metainfo = machine().metainfo();
    if (metainfo == nullptr) return std::nullopt;
    return swarm::InfoHashes(*metainfo, setup_.config.format, setup_.config.key).ToDial(0).hash;
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
