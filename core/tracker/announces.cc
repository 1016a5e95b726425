#include "core/tracker/announces.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "core/tracker/draw.h"

namespace bt::tracker {

using tracker_api::Outcome;
using tracker_api::Response;
using Kind = ClaimUpdate::Kind;

namespace {

// How many entries are looked at for one answer: of those known here only (counts beyond are of the
// applied state), and of the applied ones beyond those listed.
constexpr uint32_t kSoftScan = 64;
constexpr uint32_t kScanSlack = 64;

}  // namespace

Response Announces::Answer(const tracker_api::Announce& announce, Source source, const Registry& registry,
                           Instant now, Instant log_time, uint64_t seed) {
  if (auto problem = PeerProblem(announce.peer))
    return tracker_api::Refuse(Outcome::kInvalid, *std::move(problem));
  const Torrent* torrent = registry.FindInfoHash(announce.info_hash);
  if (torrent == nullptr) return tracker_api::NoSuchTorrent(announce.info_hash);
  Kind kind = announce.left == 0 ? Kind::kComplete : Kind::kIncomplete;
  if (announce.event == tracker_api::AnnounceEvent::kStopped) kind = Kind::kGone;

  Response response;
  if (auto problem = Note(*torrent, announce.peer, source, kind, registry, now, log_time)) {
    response.reason = *std::move(problem);
  }
  tracker_api::Peers peers;
  peers.content = torrent->content();
  peers.piece_count = torrent->piece_count();
  peers.complete = torrent->complete;
  peers.incomplete = torrent->incomplete();
  // Half full of announces that wait to be replicated, this node asks for fewer of them.
  peers.interval = soft_.size() > limit_ / 2 ? registry.limits().renew_interval
                                             : AnnounceInterval(*torrent, registry.limits(), log_time);
  ListPeers(*torrent, announce, registry, seed, peers);
  response.body = std::move(peers);
  return response;
}

std::optional<std::string> Announces::Note(const Torrent& torrent, const Address& peer, Source source,
                                           Kind kind, const Registry& registry, Instant now,
                                           Instant log_time) {
  const Key key{torrent.number, peer};
  const auto found = soft_.find(key);
  if (found != soft_.end()) {
    Soft& soft = found->second;
    if (soft.kind == kind) return std::nullopt;
    soft.kind = kind;
    soft.changed = soft.underway;
    return std::nullopt;
  }
  const Claim* claim = torrent.claims.Find(peer);
  const bool live = claim != nullptr && registry.Live(*claim);
  // A claim that has run out by the estimate alone may well be listed still: log time stands still while
  // there is no majority. What is live by the applied state has to be taken back.
  if (kind == Kind::kGone && !live) return std::nullopt;
  if (kind != Kind::kGone && live && claim->complete == (kind == Kind::kComplete) &&
      claim->expires - log_time > registry.limits().claim_lifetime / 2) {
    return std::nullopt;
  }
  ForgetOld(registry.limits().claim_lifetime, now);
  if (soft_.size() >= limit_)
    return "this node has too many announces waiting to be replicated: yours was not kept";
  uint32_t& of_source = of_source_[source];
  if (of_source >= LimitOfSource(limit_)) {
    return "too many announces of your address wait to be replicated: this one was not kept";
  }
  most_of_source_.Note(++of_source);
  Soft& soft = soft_[key];
  most_.Note(soft_.size());
  soft.kind = kind;
  soft.since = now;
  soft.source = source;
  queue_.push_back(key);
  if (live || kind == Kind::kGone) return std::nullopt;
  return registry.ClaimProblem(torrent, source);
}

void Announces::Forget(absl::btree_map<Key, Soft>::iterator soft) {
  const auto counted = of_source_.find(soft->second.source);
  if (--counted->second == 0) of_source_.erase(counted);
  soft_.erase(soft);
}

// Without a quorum nothing leaves the queue by being applied; a claim that old would have expired.
void Announces::ForgetOld(Duration age, Instant now) {
  for (int i = 0; i < 4 && !queue_.empty(); ++i) {
    const auto oldest = soft_.find(queue_.front());
    if (oldest->second.since + age > now) return;
    Forget(oldest);
    queue_.pop_front();
  }
}

void Announces::ListPeers(const Torrent& torrent, const tracker_api::Announce& announce,
                          const Registry& registry, uint64_t seed, tracker_api::Peers& peers) const {
  const uint32_t limit = std::min(announce.numwant, tracker_api::kLookupLimit);
  // Two seeders have nothing to say to each other. But who has only a magnet link may not know how much is
  // left: aria2 begins with 0.
  const bool seeds = announce.left == 0 && announce.event != tracker_api::AnnounceEvent::kStarted;
  const auto wanted = [&](const Address& peer, bool complete) {
    return peer != announce.peer && !(complete && seeds);
  };
  const auto list = [&](const Address& peer, bool complete) {
    if (wanted(peer, complete) && peers.peers.size() < limit) peers.peers.push_back({peer, {}, complete});
  };
  // First who is known here only: at most a batch or two, and the likeliest to be there.
  uint32_t looked = 0;
  for (auto at = soft_.lower_bound({torrent.number, Address{}});
       at != soft_.end() && at->first.first == torrent.number && looked < kSoftScan; ++at, ++looked) {
    const Claim* claim = torrent.claims.Find(at->first.second);
    const bool listed = claim != nullptr && registry.Live(*claim);
    const bool gone = at->second.kind == Kind::kGone;
    const bool complete = at->second.kind == Kind::kComplete;
    if (claim != nullptr) --(claim->complete ? peers.complete : peers.incomplete);
    if (!gone) ++(complete ? peers.complete : peers.incomplete);
    if (!gone && !listed) list(at->first.second, complete);
  }
  // A seeder is told of peers that are not complete, and all that is applied is: so it is with most announces
  // of a complete swarm, which then need not look at the claims one by one.
  if (seeds && peers.incomplete == 0) return;
  const uint32_t size = torrent.claims.size();
  const Draw draw(size, seed);
  for (uint32_t i = 0; i < std::min(size, limit + kScanSlack) && peers.peers.size() < limit; ++i) {
    const Claim& claim = torrent.claims.at(draw.at(i));
    if (!registry.Live(claim) || !wanted(claim.peer, claim.complete)) continue;
    const auto soft = soft_.find({torrent.number, claim.peer});
    if (soft == soft_.end()) {
      list(claim.peer, claim.complete);
    } else if (soft->second.kind != Kind::kGone) {
      list(claim.peer, soft->second.kind == Kind::kComplete);
    }
  }
}

std::vector<ClaimUpdate> Announces::TakeBatch(const Limits& limits) {
  std::vector<ClaimUpdate> updates;
  updates.reserve(std::min<size_t>(queue_.size(), limits.claims_per_command));
  while (!queue_.empty() && updates.size() < limits.claims_per_command) {
    const Key& key = queue_.front();
    Soft& soft = soft_[key];
    soft.underway = true;
    soft.changed = false;
    updates.push_back({key.first, key.second, soft.kind, soft.source});
    batch_.push_back(key);
    queue_.pop_front();
  }
  batch_underway_ = true;
  return updates;
}

// What was refused, or has changed while its batch was under way, is proposed again: the claim in the log
// would else say for its whole lifetime what the peer has taken back.
void Announces::BatchApplied(bool done) {
  for (const Key& key : batch_) {
    const auto found = soft_.find(key);
    Soft& soft = found->second;
    soft.underway = false;
    if (done && !soft.changed) {
      Forget(found);
    } else {
      soft.changed = false;
      queue_.push_back(key);
    }
  }
  batch_.clear();
  batch_underway_ = false;
}

}  // namespace bt::tracker
