#include "core/swarm/tracker_session.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::swarm {

using tracker_api::Outcome;
using tracker_api::Response;

// --- TrackerPool ---

TrackerPool::TrackerPool(uint32_t trackers, Timing timing, uint32_t first)
    : timing_(timing), preferred_(trackers == 0 ? 0 : first % trackers), nodes_(trackers) {}

std::pair<uint32_t, Instant> TrackerPool::Pick(Instant now) const {
  CHECK(!nodes_.empty());
  uint32_t best = preferred_;
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const uint32_t node = (preferred_ + i) % size();
    if (nodes_[node].retry_at <= now) return {node, now};
    if (nodes_[node].retry_at < nodes_[best].retry_at) best = node;
  }
  return {best, nodes_[best].retry_at};
}

void TrackerPool::Succeeded(uint32_t node) {
  nodes_[node] = Node{};
  preferred_ = node;
}

void TrackerPool::Failed(uint32_t node, Duration wait, Instant now, Rng& rng) {
  Node& failed = nodes_[node];
  const uint32_t doublings = std::min(failed.failures++, 16u);
  const Duration pause =
      std::min(timing_.tracker_backoff_min * (int64_t{1} << doublings), timing_.tracker_backoff_max);
  failed.retry_at = now + std::clamp(wait, rng.Between(pause / 2, pause), timing_.tracker_backoff_max);
  if (preferred_ == node) preferred_ = (node + 1) % size();
}

// --- Exchange ---

void Exchange::Start(tracker_api::Request request) {
  CHECK(!active());
  request_ = std::move(request);
  ask_ = 0;
  timeout_ = Instant::Never();
}

std::string Exchange::Poll(TrackerPool& pool, uint64_t& ask_id, Context<Protocol>& context) {
  std::string trouble;
  if (!active() || pool.size() == 0) return trouble;
  if (ask_ != 0 && context.now >= timeout_) {
    trouble = "no answer in time";
    pool.Failed(node_, Duration{}, context.now, context.rng);
    ask_ = 0;
  }
  if (ask_ == 0) {
    const auto [node, when] = pool.Pick(context.now);
    if (when > context.now) return trouble;
    node_ = node;
    ask_ = ++ask_id;
    timeout_ = context.now + timing_.ask_timeout;
    context.out.Send(NodeId(node_), tracker_api::Ask{ask_, *request_});
  }
  return trouble;
}

std::optional<Response> Exchange::Receive(const Protocol::Message& message, TrackerPool& pool,
                                          Context<Protocol>& context, std::string* trouble) {
  session_expired_ = false;
  if (!active() || ask_ == 0) return std::nullopt;
  if (const auto* unreachable = std::get_if<tracker_api::Unreachable>(&message)) {
    if (unreachable->id != ask_) return std::nullopt;
    pool.Failed(node_, Duration{}, context.now, context.rng);
    *trouble = unreachable->why;
    ask_ = 0;
    return std::nullopt;
  }
  const auto* answer = std::get_if<tracker_api::Answer>(&message);
  if (answer == nullptr || answer->id != ask_) return std::nullopt;
  ask_ = 0;
  if (LeftNoTrace(answer->response.outcome)) {
    session_expired_ = answer->response.outcome == Outcome::kSessionExpired;
    pool.Failed(node_, answer->response.retry_after, context.now, context.rng);
    *trouble = answer->response.reason.empty() ? "unavailable" : answer->response.reason;
    return std::nullopt;
  }
  pool.Succeeded(node_);
  request_.reset();
  return answer->response;
}

Instant Exchange::deadline(const TrackerPool& pool, Instant now) const {
  if (!active() || pool.size() == 0) return Instant::Never();
  return ask_ != 0 ? timeout_ : pool.Pick(now).second;
}

tracker_api::MutationId* MutationIdOf(tracker_api::Request& request) {
  if (auto* mutation = std::get_if<tracker_api::Register>(&request)) return &mutation->id;
  if (auto* mutation = std::get_if<tracker_api::Offer>(&request)) return &mutation->id;
  if (auto* mutation = std::get_if<tracker_api::Withdraw>(&request)) return &mutation->id;
  return nullptr;
}

void Exchange::Rename(const tracker_api::MutationId& id) { *MutationIdOf(*request_) = id; }

// --- TrackerSession ---

TrackerSession::TrackerSession(const Config& config)
    : timing_(config.timing),
      listen_(config.listen),
      pool_(config.trackers, config.timing),
      mutation_(config.timing),
      query_(config.timing),
      renew_every_(config.timing.renew_interval),
      lookup_gap_(config.timing.lookup_min),
      told_interval_(config.timing.renew_interval) {}

void TrackerSession::Fetch(tracker_api::TorrentKey key) { fetch_key_ = std::move(key); }

void TrackerSession::Begin(tracker_api::TorrentKey key, uint32_t pieces, Instant now, Rng& rng) {
  key_ = std::move(key);
  claimed_ = PieceMap(pieces);
  asked_ = PieceMap(pieces);
  NewSession(rng);
  next_offer_ = now;
  next_lookup_ = now;
  dirty_ = true;
}

void TrackerSession::NewSession(Rng& rng) { mutation_id_ = {SessionId(rng.Between(1, UINT64_MAX)), 0}; }

Duration TrackerSession::LookupGapMax() const {
  if (wanted_ == Wanted::kWhoWaits) return told_interval_;
  return wanted_ == Wanted::kOtherPeers ? timing_.lookup_max : timing_.lookup_few_max;
}

void TrackerSession::LookSoon(Instant now) {
  lookup_gap_ = timing_.lookup_min;
  next_lookup_ = std::min(next_lookup_, std::max(now, last_lookup_ + timing_.lookup_min));
}

void TrackerSession::StartOffer(PieceMap pieces) {
  ++mutation_id_.sequence;
  asked_offer_ = true;
  mutation_.Start(tracker_api::Offer{mutation_id_, *key_, listen_, pieces.ToRanges()});
  asked_ = std::move(pieces);
  claims_anything_ = true;
}

void TrackerSession::StartWithdraw(const PieceMap& pieces, bool whole) {
  ++mutation_id_.sequence;
  asked_offer_ = false;
  withdraws_whole_ = whole;
  mutation_.Start(tracker_api::Withdraw{mutation_id_, *key_, listen_,
                                        whole ? std::vector<PieceRange>() : pieces.ToRanges()});
  asked_ = pieces;
}

void TrackerSession::StartMutation(const PieceMap& held, Instant now) {
  if (mutation_.active() || !key_ || listen_.port == 0 || pool_.size() == 0) return;
  if (leaving_) {
    if (claims_anything_) StartWithdraw(claimed_, true);
    return;
  }
  if (claims_paused_ || now < next_offer_) return;
  if (dirty_) {
    PieceMap gone = claimed_;
    gone.RemoveAll(held);
    if (!gone.none()) return StartWithdraw(gone, false);
    PieceMap fresh = held;
    fresh.RemoveAll(claimed_);
    dirty_ = false;
    // A claim without pieces says that this client waits for them: whoever has some may dial it.
    if (!fresh.none() || !claims_anything_) return StartOffer(std::move(fresh));
  }
  // A renewal names everything: the claim may have expired while this client was stalled.
  if (now >= renew_at_) StartOffer(held);
}

void TrackerSession::StartQuery(Instant now) {
  if (query_.active() || pool_.size() == 0 || leaving_) return;
  if (fetch_key_) {
    query_.Start(tracker_api::Fetch{*fetch_key_, ask_leader_});
  } else if (key_ && wanted_ != Wanted::kNobody && now >= next_lookup_) {
    last_lookup_ = now;
    query_.Start(NextLookup());
  } else {
    return;
  }
}

// This client needs addresses alone, so it asks for as many as an answer may hold. Every other lookup is a
// page of a walk: among many peers one alone may have the piece that is missing, and draws promise nobody
// that it is ever told.
tracker_api::Lookup TrackerSession::NextLookup() {
  tracker_api::Lookup lookup{.torrent = *key_, .linearizable = ask_leader_};
  lookup.limit = tracker_api::kLookupLimit;
  lookup.pieces = false;
  walks_ = !walks_ && walk_;
  if (walks_) lookup.cursor = walk_;
  return lookup;
}

void TrackerSession::Leave() {
  leaving_ = true;
  if (query_.active()) query_.Abandon();
}

TrackerSession::Event TrackerSession::MutationAnswered(Response response, Instant now) {
  Event event;
  const bool offer = asked_offer_;
  switch (response.outcome) {
    case Outcome::kOk:
    case Outcome::kCreated:
      if (offer) {
        claimed_.AddAll(asked_);
        renew_at_ = now + renew_every_;
        event.kind = Event::Kind::kOffered;
      } else {
        claimed_.RemoveAll(asked_);
        if (withdraws_whole_) claims_anything_ = false;
        event.kind = Event::Kind::kWithdrawn;
      }
      next_offer_ = now + timing_.offer_gap;
      break;
    case Outcome::kNotFound:
      // Nothing is claimed of what is not registered.
      claimed_ = PieceMap(claimed_.size());
      claims_anything_ = false;
      dirty_ = true;
      next_offer_ = now + timing_.tracker_backoff_max / 4;
      event.kind = offer ? Event::Kind::kNotFound : Event::Kind::kWithdrawn;
      break;
    default:
      if (!offer) claims_anything_ = false;
      next_offer_ = now + timing_.tracker_backoff_max;
      event.kind = Event::Kind::kRefused;
      break;
  }
  event.response = std::move(response);
  return event;
}

TrackerSession::Event TrackerSession::QueryAnswered(Response response, Instant now, Rng& rng) {
  Event event;
  const bool fetch = fetch_key_.has_value();
  if (response.outcome == Outcome::kNotFound) {
    next_lookup_ = now + (ask_leader_ ? lookup_gap_ : Duration{});
    lookup_gap_ = std::min(lookup_gap_ * 2, timing_.lookup_few_max);
    // A node that lags behind may not know it yet; the leader's word is final.
    if (ask_leader_) {
      event.kind = Event::Kind::kNotFound;
      fetch_key_.reset();
    }
    ask_leader_ = true;
    event.response = std::move(response);
    return event;
  }
  ask_leader_ = false;
  if (response.outcome != Outcome::kOk) {
    next_lookup_ = now + timing_.lookup_max;
    event.kind = fetch ? Event::Kind::kRefused : Event::Kind::kLookupRefused;
  } else if (fetch && std::holds_alternative<tracker_api::Fetched>(response.body)) {
    event.kind = Event::Kind::kFetched;
  } else if (const auto* peers = std::get_if<tracker_api::Peers>(&response.body);
             peers != nullptr && !fetch) {
    if (walks_) {
      walk_ = peers->cursor.value_or(tracker_api::kWalkStart);
    } else if (!walk_) {
      // Walks that all began at the same place would send everybody to the same peers first.
      walk_ = static_cast<uint32_t>(rng.Between(1, std::max(1u, peers->complete + peers->incomplete)));
    }
    if (peers->interval > Duration{}) {
      told_interval_ = std::clamp(peers->interval, Seconds(1), kToldIntervalMax);
      renew_every_ = std::min(told_interval_, timing_.renew_interval);
      // A claim that was acknowledged before this was told must not run out at the trackers meanwhile.
      if (claims_anything_) renew_at_ = std::min(renew_at_, now + renew_every_);
    }
    lookup_gap_ = wanted_ == Wanted::kOtherPeers ? LookupGapMax() : std::min(lookup_gap_ * 2, LookupGapMax());
    next_lookup_ = now + lookup_gap_;
    event.kind = Event::Kind::kPeers;
  } else {
    next_lookup_ = now + timing_.lookup_max;
    event.kind = fetch ? Event::Kind::kRefused : Event::Kind::kLookupRefused;
    response.reason = "the tracker's answer does not fit the question";
  }
  if (fetch) fetch_key_.reset();
  event.response = std::move(response);
  return event;
}

void TrackerSession::Trouble(uint32_t node, std::string why, Context<Protocol>& context) {
  if (why.empty()) return;
  last_trouble_ = why;
  context.out.Note(TrackerTrouble{NodeId(node), std::move(why)});
}

TrackerSession::Event TrackerSession::Receive(const Protocol::Message& message, const PieceMap& held,
                                              Context<Protocol>& context) {
  Event event;
  std::string trouble;
  // Also a node without a quorum is one that can be reached.
  if (std::holds_alternative<tracker_api::Answer>(message)) answered_ = true;
  if (auto response = mutation_.Receive(message, pool_, context, &trouble)) {
    event = MutationAnswered(*std::move(response), context.now);
  } else if (mutation_.session_expired()) {
    // The cluster has forgotten us (we were away for long). Claims may be repeated without harm.
    NewSession(context.rng);
    ++mutation_id_.sequence;
    mutation_.Rename(mutation_id_);
  }
  Trouble(mutation_.node(), std::exchange(trouble, {}), context);
  if (auto response = query_.Receive(message, pool_, context, &trouble)) {
    event = QueryAnswered(*std::move(response), context.now, context.rng);
  }
  Trouble(query_.node(), std::move(trouble), context);
  Poll(held, context);
  return event;
}

Instant TrackerSession::NextMutation() const {
  if (mutation_.active() || !key_ || listen_.port == 0 || leaving_ || claims_paused_) return Instant::Never();
  if (dirty_) return next_offer_;
  return claims_anything_ ? std::max(renew_at_, next_offer_) : Instant::Never();
}

void TrackerSession::Poll(const PieceMap& held, Context<Protocol>& context) {
  if (pool_.size() == 0) return;
  StartMutation(held, context.now);
  StartQuery(context.now);
  const uint32_t mutation_node = mutation_.node();
  Trouble(mutation_node, mutation_.Poll(pool_, ask_id_, context), context);
  const uint32_t query_node = query_.node();
  Trouble(query_node, query_.Poll(pool_, ask_id_, context), context);

  Instant next = std::min(mutation_.deadline(pool_, context.now), query_.deadline(pool_, context.now));
  next = std::min(next, NextMutation());
  if (!query_.active() && key_ && wanted_ != Wanted::kNobody && !leaving_)
    next = std::min(next, next_lookup_);
  const bool speaks = mutation_.active() || query_.active();
  if (speaks && give_up_at_ == Instant::Never()) give_up_at_ = context.now + timing_.first_contact_limit;
  if (!answered_ && give_up_at_ > context.now) next = std::min(next, give_up_at_);
  if (next == Instant::Never()) {
    context.out.Disarm(Protocol::Timer::kTracker);
  } else {
    context.out.Arm(Protocol::Timer::kTracker, next);
  }
}

uint64_t TrackerSession::Digest() const {
  RollingDigest digest;
  digest.Add(mutation_id_.session.value());
  digest.Add(mutation_id_.sequence);
  digest.Add(ask_id_);
  digest.Add(claimed_.count());
  return digest.value();
}

}  // namespace bt::swarm
