#pragma once

// Client: the machine that offers or downloads one content. It talks to trackers (messages), to peers
// (links carrying the BitTorrent wire protocol) and to one file (block effects); its parts are named in
// README.md. Invariant: only bytes that have passed their piece hash are announced, claimed, served or
// checkpointed (except under Config::skip_verify). A host steps it; nodes/ and sim/ are its only users.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/machine/machine.h"
#include "core/swarm/config.h"
#include "core/swarm/protocol.h"
#include "core/swarm/selection.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

// What a client believes of a peer past the handshake, for onlookers.
struct PeerView {
  std::array<uint8_t, 20> id{};  // as the peer gave it
  PieceMap pieces;
  bool am_interested = false;
  bool peer_interested = false;
  bool am_choking = true;
  bool peer_choking = true;
};

class MetadataFetch;

class Client final {
 public:
  using Protocol = swarm::Protocol;

  explicit Client(Config config);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  void Step(const Input<Protocol>& input, Context<Protocol>& context);

  void CheckInvariants() const;
  uint64_t Digest() const;

  const Config& config() const;
  // nullptr until the torrent is known.
  const Metainfo* metainfo() const;
  // What of it is to be had; nullptr until the torrent is known.
  const Selection* selection() const;
  // The pieces that are proven (or, under skip_verify, said to be).
  const PieceMap& verified() const;
  // Of these the ones that were proven in an earlier life and are not read back yet: good enough for peers,
  // who hash what they get.
  const PieceMap& unproven() const;
  swarm::Progress progress() const;
  // "magnet", "fetching", "verifying", "downloading", "finishing", "offering", "stopping", "stopped".
  std::string_view phase() const;
  bool stopped() const;
  bool IsBanned(const Address& peer) const;
  // Whether a peer that names this info-hash in its handshake means this client's content. Never before the
  // torrent is known.
  bool Means(const InfoHash& hash) const;
  // The id this client gives to peers, and what it believes of them.
  const std::array<uint8_t, 20>& id() const;
  std::vector<PeerView> peers() const;
  // The peer that could be asked for a block and is asked for none: a defect, for judges to find. Costs a
  // walk of what is missing.
  std::optional<Address> OverlookedPeer() const;

 private:
  class Engine;
  // While only a magnet link is known; the engine has not started then.
  std::unique_ptr<MetadataFetch> fetch_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace bt::swarm
