#pragma once

// InfoHashes: the info-hashes under which one content is met (BEP 3, BEP 52), and in which order a peer is
// tried with them. Invariant: every info-hash of the torrent is answered; the first one dialled is that of
// the torrent file that was given, because peers know the content by the file they hold; and a content may be
// registered under several names, each with info-hashes of its own. Pure; for the client's engine.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/torrent/metainfo.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::swarm {

class InfoHashes {
 public:
  enum class Kind : uint8_t {
    kV1,
    kHybridV1,
    kHybridV2,
    kV2,
    kForeign,  // of an info dictionary with keys of its own, in a file that was never seen here
  };
  struct Known {
    InfoHash hash{};
    Kind kind = Kind::kV1;

    // BEP 52: reserved[7] & 0x10 offers an upgrade to the v2 hash. Under any other hash there is nothing to
    // upgrade to, and libtorrent hangs up on the bit beside the hash of a v1 torrent.
    bool offers_upgrade() const { return kind == Kind::kHybridV1; }
    // Hash messages are known to these peers. A foreign hash may be a v2 one.
    bool v2() const { return kind != Kind::kV1 && kind != Kind::kHybridV1; }
    // Clients that know the content as v2 only ask for the whole last block, and expect zeros behind the
    // content.
    bool pads_last_block() const { return kind == Kind::kV2 || kind == Kind::kForeign; }
  };

  InfoHashes() = default;
  // `format` of the file the torrent was read from, if there was one; `key` by which it was asked for, if so.
  InfoHashes(const Metainfo& metainfo, std::optional<TorrentFormat> format,
             const std::optional<tracker_api::TorrentKey>& key);

  // More that mean this content, on a tracker's word; what comes from their peers is proven as ever. At most
  // kTold of them are kept; they are dialled behind the torrent's own.
  void Told(const std::vector<InfoHash>& hashes);

  // nullptr: of another content.
  const Known* Find(const InfoHash& hash) const;
  // The info-hash for the `attempt`-th try in a row at one peer; every `dialled()` tries begin anew.
  const Known& ToDial(uint32_t attempt) const { return known_[attempt % dialled_]; }
  uint32_t dialled() const { return dialled_; }

 private:
  static constexpr uint32_t kTold = 64;

  std::vector<Known> known_;  // those that are dialled first; at most kTold and the torrent's own
  uint32_t told_ = 0;
  uint32_t dialled_ = 0;
};

}  // namespace bt::swarm
