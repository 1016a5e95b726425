#pragma once

// MetadataSource: what a client tells of its torrent to peers that have only an info-hash: the info
// dictionaries (BEP 9), one for each info-hash under which the content is met, and the piece layer with its
// proofs (BEP 52). Nothing is kept ready: what is asked for is made from the metainfo. Invariant: what one
// peer costs has a limit (Allowance). Pure; for the client's engine.

#include <cstdint>
#include <optional>

#include "core/base/slice.h"
#include "core/swarm/info_hashes.h"
#include "core/swarm/wire.h"
#include "core/torrent/metainfo.h"

namespace bt::swarm {

class MetadataSource {
 public:
  // What one peer has been served.
  struct Served {
    uint32_t metadata = 0;  // pieces of info dictionaries
    uint32_t hashes = 0;    // hash requests
  };
  static constexpr uint32_t kHashesPerRequest = 8192;  // at most, as libtorrent has it

  // `metainfo` must outlive this. `info`: the info dictionary as it was received, empty if it is not at hand.
  MetadataSource(const Metainfo& metainfo, Slice info);

  // Bytes of the info dictionary of that info-hash; 0: it is not at hand.
  uint32_t size(const InfoHashes::Known& under) const;
  // The answer to a request, which is refused when there is no such piece or the peer has had its share: all
  // of it twice.
  wire::Metadata Answer(const wire::Metadata& request, const InfoHashes::Known& under, Served& served) const;
  // nullopt: refused. Only the piece layer is known, not what is below.
  std::optional<wire::Hashes> Answer(const wire::HashSpan& request, Served& served) const;

  // BEP 27: a private torrent's peers are known from its trackers alone. What cannot be ruled out counts:
  // info dictionaries with keys of their own that are not at hand.
  bool may_be_private() const { return may_be_private_; }

 private:
  enum class Origin : uint8_t { kReceived, kV1, kV2, kHybrid, kNone };
  Origin OriginOf(const InfoHashes::Known& under) const;
  Slice Bytes(Origin origin) const;

  const Metainfo& metainfo_;
  const Slice info_;
  InfoHash info_v1_{};
  InfoHash info_v2_{};
  bool may_be_private_ = false;
  mutable std::optional<uint32_t> sizes_[3];  // of what is derived, by Origin from kV1 on
};

// Whether an info dictionary says that its torrent is private (BEP 27).
bool SaysPrivate(std::string_view info);

}  // namespace bt::swarm
