#pragma once

// WebServers: the web servers that a torrent of the simulated swarm names (BEP 19). They lie outside the
// drawn network: what each of them does with a request is drawn, and so is when its answer comes. Judged
// here: nobody asks for what is not in a file, or for more than a range.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/slice.h"
#include "core/swarm/protocol.h"
#include "core/torrent/metainfo.h"
#include "sim/random_stream.h"
#include "sim/scenarios/swarm_client.h"
#include "sim/world.h"

namespace bt::sim {

enum class WebServerKind : uint8_t {
  kHonest,       // right bytes soon
  kSlow,         // ... or late, but in time
  kLying,        // now and then a wrong byte
  kWrongLength,  // bytes too many or too few
  kFailing,      // an error, now and then the bytes
  kDead,         // never says anything
  kCount
};

class WebServers final : public EventSink {
 public:
  // How many there are, and of what kind, is drawn: in three worlds of four there are none.
  explicit WebServers(World& world);

  uint32_t size() const { return static_cast<uint32_t>(kinds_.size()); }
  // It always gives the right bytes.
  bool honest(uint32_t server) const { return kinds_[server] <= WebServerKind::kSlow; }
  // How long clients give peers before they ask here.
  Duration patience() const { return patience_; }
  // The answer comes, if one does, as long as `client` lives.
  void Fetch(ClientHost& client, NodeId server, const swarm::FetchRange& fetch, const Metainfo& metainfo,
             const Slice& content);

  void Fire(uint64_t answer) override;

 private:
  struct Answer {
    ClientHost* client;
    uint64_t life;
    NodeId server;
    Slice message;
  };
  std::optional<swarm::RangeFetched> AnswerOf(WebServerKind kind, const swarm::FetchRange& fetch,
                                              Slice bytes);

  World& world_;
  RandomStream rng_;
  std::vector<WebServerKind> kinds_;
  Duration patience_{};
  absl::btree_map<uint64_t, Answer> answers_;  // on their way
  uint64_t next_answer_ = 1;
};

}  // namespace bt::sim
