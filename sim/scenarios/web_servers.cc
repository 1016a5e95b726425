#include "sim/scenarios/web_servers.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/fields.h"
#include "core/swarm/web_seed_limits.h"

namespace bt::sim {
namespace {

constexpr uint64_t kServersMax = 3;
constexpr Duration kSoon = Seconds(2);
constexpr Duration kLate = Seconds(20);  // well within kWebAnswerTimeout

}  // namespace

WebServers::WebServers(World& world) : world_(world), rng_(world.Stream("web servers")) {
  if (!rng_.Chance(1, 4)) return;
  for (uint64_t left = rng_.Between(1, kServersMax); left > 0; --left) {
    kinds_.push_back(static_cast<WebServerKind>(rng_.Below(static_cast<uint64_t>(WebServerKind::kCount))));
  }
  patience_ = rng_.Between(Milliseconds(500), Seconds(30));
}

std::optional<swarm::RangeFetched> WebServers::AnswerOf(WebServerKind kind, const swarm::FetchRange& fetch,
                                                        Slice bytes) {
  std::string altered(bytes.view());
  switch (kind) {
    case WebServerKind::kLying:
      if (rng_.Chance(1, 2)) break;
      world_.Count(Fault::kWrongBytes);
      altered[rng_.Below(altered.size())] ^= 1;
      return swarm::RangeFetched{fetch.id, {}, Slice::Own(std::move(altered))};
    case WebServerKind::kWrongLength:
      world_.Count(Fault::kWrongLength);
      altered.resize(rng_.Chance(1, 2) ? altered.size() + 1 : rng_.Below(altered.size()));
      return swarm::RangeFetched{fetch.id, {}, Slice::Own(std::move(altered))};
    case WebServerKind::kFailing:
      if (rng_.Chance(1, 2)) break;
      world_.Count(Fault::kServesNothing);
      return swarm::RangeFetched{fetch.id, "HTTP 503", {}};
    case WebServerKind::kDead:
      world_.Count(Fault::kServesNothing);
      return std::nullopt;
    case WebServerKind::kHonest:
    case WebServerKind::kSlow:
    case WebServerKind::kCount:
      break;
  }
  return swarm::RangeFetched{fetch.id, {}, std::move(bytes)};
}

void WebServers::Fetch(ClientHost& client, NodeId server, const swarm::FetchRange& fetch,
                       const Metainfo& metainfo, const Slice& content) {
  const FileTree& tree = metainfo.tree;
  const bool known =
      server.value() < size() && (tree.empty() ? fetch.file == 0 : fetch.file < tree.files().size());
  const uint64_t length = !known ? 0 : tree.empty() ? metainfo.length : tree.files()[fetch.file].length;
  if (fetch.length == 0 || fetch.length > swarm::kWebRangeBytes || fetch.offset > length ||
      fetch.length > length - fetch.offset) {
    return world_.Fail(absl::StrFormat("web: %s asks server %d for %d bytes at %d of file %d", client.name(),
                                       server.value(), fetch.length, fetch.offset, fetch.file));
  }
  const uint64_t begin = tree.empty() ? 0 : uint64_t{tree.first_piece(fetch.file)} * metainfo.piece_length;
  const WebServerKind kind = kinds_[server.value()];
  std::optional<swarm::RangeFetched> answer =
      AnswerOf(kind, fetch, content.Sub(begin + fetch.offset, fetch.length));
  if (!answer) return;
  const Duration delay = rng_.Between(Milliseconds(1), kind == WebServerKind::kSlow ? kLate : kSoon);
  Slice message = Slice::Own(Encode(swarm::Protocol::Message(*std::move(answer))));
  answers_.emplace(next_answer_, Answer{&client, client.life(), server, std::move(message)});
  world_.After(delay, this, next_answer_++);
}

void WebServers::Fire(uint64_t answer) {
  const auto found = answers_.find(answer);
  const Answer arrived = std::move(found->second);
  answers_.erase(found);
  if (arrived.client->alive() && arrived.client->life() == arrived.life) {
    arrived.client->Receive(arrived.server, arrived.message);
  }
}

}  // namespace bt::sim
