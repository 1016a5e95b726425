#pragma once

// How a client speaks with its trackers. TrackerPool: which node to ask next (failover, exponential
// back-off with jitter). Exchange: one request, asked until a node answers it for good. TrackerSession:
// a content's claims and lookups over two exchanges, one for mutations (a session of numbered
// mutations, one outstanding, the same id on every retry) and one for queries.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/swarm/config.h"
#include "core/swarm/protocol.h"
#include "core/torrent/piece_map.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::swarm {

class TrackerPool {
 public:
  TrackerPool(uint32_t trackers, Timing timing, uint32_t first = 0);

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  // The node to ask and the earliest time to do so. Not to be called on an empty pool.
  std::pair<uint32_t, Instant> Pick(Instant now) const;
  void Succeeded(uint32_t node);
  // `wait`: at least so long, as the node itself asked for (retry_after).
  void Failed(uint32_t node, Duration wait, Instant now, Rng& rng);

 private:
  struct Node {
    uint32_t failures = 0;
    Instant retry_at{};
  };
  Timing timing_;
  uint32_t preferred_;
  std::vector<Node> nodes_;  // the torrent's trackers, at most kTrackerCountLimit
};

class Exchange {
 public:
  explicit Exchange(Timing timing) : timing_(timing) {}

  bool active() const { return request_.has_value(); }
  const tracker_api::Request& request() const { return *request_; }
  uint32_t node() const { return node_; }
  // Not while active.
  void Start(tracker_api::Request request);
  // Before it is asked again: the request's new mutation id.
  void Rename(const tracker_api::MutationId& id);
  void Abandon() { *this = Exchange(timing_); }
  // Asks when it is time to; gives up waiting for a node that is silent. `ask_id` is the client's counter.
  // Returns what was wrong with a node that has just failed to answer, empty if none has.
  std::string Poll(TrackerPool& pool, uint64_t& ask_id, Context<Protocol>& context);
  // If the message is this exchange's: a final response (then it is no longer active), or nothing and the
  // next Poll asks again; `trouble` then says why.
  std::optional<tracker_api::Response> Receive(const Protocol::Message& message, TrackerPool& pool,
                                               Context<Protocol>& context, std::string* trouble);
  // True when the message last received said that the mutation's session is not known any more.
  bool session_expired() const { return session_expired_; }
  // When Poll has something to do next.
  Instant deadline(const TrackerPool& pool, Instant now) const;

 private:
  Timing timing_;
  std::optional<tracker_api::Request> request_;
  uint64_t ask_ = 0;  // 0: not asked yet, or the last asking failed
  uint32_t node_ = 0;
  Instant timeout_ = Instant::Never();
  bool session_expired_ = false;
};

// The id of a mutation, to be filled in; nullptr for queries.
tracker_api::MutationId* MutationIdOf(tracker_api::Request& request);

class TrackerSession {
 public:
  explicit TrackerSession(const Config& config);

  // What a message or the passing of time has brought; at most one at a time.
  struct Event {
    enum class Kind : uint8_t {
      kNothing,
      kPeers,
      kFetched,
      kOffered,
      kWithdrawn,
      kNotFound,
      kRefused,
      kLookupRefused,
    };
    Kind kind = Kind::kNothing;
    tracker_api::Response response;
  };

  // The torrent's metainfo is wanted (a download by key). Answered by kFetched, kNotFound or kRefused.
  void Fetch(tracker_api::TorrentKey key);
  // From now on this content is spoken of: claims follow what is held, lookups follow SetLookups.
  void Begin(tracker_api::TorrentKey key, uint32_t pieces, Instant now, Rng& rng);
  // The pieces this client can prove, to be claimed (and, what is gone from it, withdrawn).
  void HoldChanged() { dirty_ = true; }
  void PauseClaims(bool paused) { claims_paused_ = paused; }
  // Who is looked for. A download needs peers, and looks rarely once it has enough. An offer looks for
  // downloads that wait: clients of others announce again after minutes only, so that it is the offer that
  // has to dial.
  enum class Wanted : uint8_t { kNobody, kMorePeers, kOtherPeers, kWhoWaits };
  void SetLookups(Wanted wanted) { wanted_ = wanted; }
  // A peer was lost: look again soon.
  void LookSoon(Instant now);
  // Withdraws the whole claim if there is one. True when nothing is (or will be) claimed any more.
  void Leave();
  bool left() const { return leaving_ && !mutation_.active() && !claims_anything_; }

  Event Receive(const Protocol::Message& message, const PieceMap& held, Context<Protocol>& context);
  // Sends what is due and arms Timer::kTracker. Call after anything above.
  void Poll(const PieceMap& held, Context<Protocol>& context);

  const PieceMap& claimed() const { return claimed_; }
  // No tracker has answered anything for Timing::first_contact_limit since the first was asked.
  bool Unreachable(Instant now) const { return !answered_ && give_up_at_ <= now; }
  bool answered() const { return answered_; }
  const std::string& last_trouble() const { return last_trouble_; }
  uint64_t Digest() const;

 private:
  void NewSession(Rng& rng);
  void StartMutation(const PieceMap& held, Instant now);
  void StartOffer(PieceMap pieces);
  void StartWithdraw(const PieceMap& pieces, bool whole);
  void StartQuery(Instant now);
  Event MutationAnswered(tracker_api::Response response, Instant now);
  tracker_api::Lookup NextLookup();
  Event QueryAnswered(tracker_api::Response response, Instant now, Rng& rng);
  Instant NextMutation() const;
  Duration LookupGapMax() const;
  void Trouble(uint32_t node, std::string why, Context<Protocol>& context);

  Timing timing_;
  Address listen_;
  TrackerPool pool_;
  Exchange mutation_;
  Exchange query_;
  uint64_t ask_id_ = 0;
  tracker_api::MutationId mutation_id_;
  std::optional<tracker_api::TorrentKey> key_;
  std::optional<tracker_api::TorrentKey> fetch_key_;

  bool answered_ = false;  // by any tracker, ever
  Instant give_up_at_ = Instant::Never();
  std::string last_trouble_;  // at most one sentence

  PieceMap claimed_;              // acknowledged
  PieceMap asked_;                // in the outstanding mutation
  bool claims_anything_ = false;  // a claim may exist at the trackers
  bool dirty_ = false;
  bool claims_paused_ = false;
  bool leaving_ = false;
  bool asked_offer_ = false;      // the outstanding mutation is an offer
  bool withdraws_whole_ = false;  // the outstanding mutation takes back everything
  Instant next_offer_{};
  Instant renew_at_ = Instant::Never();
  Duration renew_every_;

  Wanted wanted_ = Wanted::kNobody;
  bool ask_leader_ = false;  // a node did not know the torrent: ask once more, linearizably
  Instant next_lookup_{};
  Instant last_lookup_{};
  Duration lookup_gap_;
  bool walks_ = false;            // the last lookup was a page of the walk through all peers
  std::optional<uint32_t> walk_;  // where that walk goes on
  Duration told_interval_;        // by the trackers: an offer looks at least this often
};

}  // namespace bt::swarm
