// MetadataFetch: its life, and the trackers. Peers, and what is put together of what they send, are in
// metadata_peers.cc.

#include "core/swarm/metadata_fetch.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/overloaded.h"
#include "core/swarm/peer_id.h"

namespace bt::swarm {
namespace {

using Timer = Protocol::Timer;
// Those whom a tracker has named may all be of no help: however long it wants to be left in peace, who has no
// torrent yet asks again.
constexpr Duration kPatienceWithTold = Seconds(120);
constexpr Timer kTimers[] = {Timer::kTracker, Timer::kPeers, Timer::kDial};

}  // namespace

MetadataFetch::MetadataFetch(const Config& config)
    : config_(config),
      asked_(config.magnet->v1 ? *config.magnet->v1 : CutToInfoHash(config.magnet->v2.value())),
      trackers_(config.trackers),
      book_(config_.timing, config_.limits, config_.listen),
      patience_(Seconds(20)) {
  CHECK(config_.magnet && (config_.magnet->v1 || config_.magnet->v2));
  // What a v2 connection can give goes beyond what a v1 connection can: the piece layers.
  if (config_.magnet->v2) hashes_.push_back({CutToInfoHash(*config_.magnet->v2), true});
  if (config_.magnet->v1) hashes_.push_back({*config_.magnet->v1, false});
}

void MetadataFetch::Step(const Input<Protocol>& input, Ctx& context) {
  if (!over_) Handle(input, context);
  if (!over_) EndOfStep(context);
}

void MetadataFetch::Handle(const Input<Protocol>& input, Ctx& context) {
  std::visit(Overloaded{
                 [&](const Started&) { Start(context); },
                 [&](const bt::Received<Protocol>& in) { Received(in.from, in.message, context); },
                 [&](const TimerFired<Protocol>& fired) {
                   if (fired.timer == Timer::kPeers) PeerTimers(context);
                 },
                 [&](const Call<Protocol>& call) {
                   if (!std::holds_alternative<swarm::Stop>(call.request)) {
                     return context.out.Reply(call.id, progress());
                   }
                   Stop(context);
                   context.out.Reply(call.id, Stopped{});
                 },
                 [&](const LinkUp& up) { Up(up.link, context); },
                 [&](const LinkReceived& received) { Bytes(received.link, received.bytes, context); },
                 [&](const LinkDown& down) { Gone(down.link, false, context); },
                 [](const auto&) {},
             },
             input);
}

void MetadataFetch::Start(Ctx& context) {
  self_id_ = DrawPeerId(context.rng);
  for (const Address& peer : config_.peers) Hear(peer, AddressBook::Source::kUser);
  give_up_at_ = context.now + config_.timing.first_contact_limit;
  if (trackers_.empty() && config_.peers.empty()) {
    Fail("the magnet link names no tracker and no peer", FailureCause::kOther, context);
  }
}

void MetadataFetch::CloseEverything(Ctx& context) {
  over_ = true;
  for (const auto& [link, peer] : peers_) context.out.Link(LinkClose{link, false});
  peers_.clear();
  for (const Timer timer : kTimers) context.out.Disarm(timer);
}

void MetadataFetch::Stop(Ctx& context) {
  CloseEverything(context);
  stopped_ = true;
  context.out.Note(Stopped{});
}

void MetadataFetch::Fail(std::string reason, FailureCause cause, Ctx& context) {
  context.out.Note(Failed{std::move(reason), cause});
  Stop(context);
}

void MetadataFetch::Finish(Found found, Ctx& context) {
  CloseEverything(context);
  for (const Address& peer : heard_) {
    if (!book_.banned(peer)) found.peers.push_back(peer);
  }
  found_ = std::move(found);
}

std::optional<MetadataFetch::Found> MetadataFetch::Take() { return std::exchange(found_, std::nullopt); }

void MetadataFetch::EndOfStep(Ctx& context) {
  PollTrackers(context);
  GiveUpIfAlone(context);
  if (over_) return;
  Dial(context);
  ChooseAttempt(context);
  Request(context);
  Instant next = Instant::Never();
  for (const auto& [link, peer] : peers_) next = std::min(next, peer.deadline);
  if (attempt_) next = std::min(next, attempt_until_);
  context.out.Arm(Timer::kPeers, next);
}

// --- trackers ---
//
// The trackers of a magnet link need not be nodes of one cluster: one may have the torrent, another the
// peers. So each is asked for both, whatever the others have said. TrackerSession instead asks one node at a
// time and goes to the next when that fails, because there any of them speaks for all.

void MetadataFetch::Hear(const Address& peer, AddressBook::Source source) {
  book_.Add(peer, source);
  if (peer.port == 0 || heard_.size() == config_.limits.given_addresses) return;
  if (std::find(heard_.begin(), heard_.end(), peer) == heard_.end()) heard_.push_back(peer);
}

void MetadataFetch::Ask(uint32_t index, Ctx& context) {
  MetadataTracker& tracker = trackers_[index];
  tracker.ask = ++ask_id_;
  tracker.due = context.now + config_.timing.ask_timeout;
  if (!tracker.announcing) {
    // One that lags behind may not know it yet; the leader's word is final.
    return context.out.Send(NodeId(index),
                            tracker_api::Ask{tracker.ask, tracker_api::Fetch{asked_, tracker.denials > 0}});
  }
  tracker_api::Announce announce;
  announce.info_hash = asked_;
  announce.peer = config_.listen;
  announce.left = 1;  // nobody knows yet how much
  announce.event = tracker_api::AnnounceEvent::kStarted;
  context.out.Send(NodeId(index), tracker_api::Ask{tracker.ask, announce});
}

// The outstanding ask has come to its end. One for the torrent is followed by one for peers at once.
void MetadataFetch::Settle(MetadataTracker& tracker, Ctx& context) {
  tracker.ask = 0;
  tracker.due = context.now;
  if (std::exchange(tracker.announcing, !tracker.announcing)) {
    tracker.settled = true;
    tracker.due = context.now + tracker.gap;
    tracker.gap = std::min(tracker.gap * 2, config_.timing.lookup_max);
  }
}

void MetadataFetch::Received(NodeId from, const Protocol::Message& message, Ctx& context) {
  MetadataTracker& tracker = trackers_.at(from.value());
  if (const auto* unreachable = std::get_if<tracker_api::Unreachable>(&message)) {
    if (tracker.ask == 0 || unreachable->id != tracker.ask) return;
    // A tracker of others has no torrents to give: its word is heard when it is asked for peers.
    if (tracker.announcing) {
      trouble_ = unreachable->why;
      context.out.Note(TrackerTrouble{from, unreachable->why});
    }
    return Settle(tracker, context);
  }
  const auto* answer = std::get_if<tracker_api::Answer>(&message);
  if (answer == nullptr || tracker.ask == 0 || answer->id != tracker.ask) return;
  answered_ = true;
  const tracker_api::Response& response = answer->response;
  if (const auto* fetched = std::get_if<tracker_api::Fetched>(&response.body);
      fetched != nullptr && response.outcome == tracker_api::Outcome::kOk && !tracker.announcing) {
    const std::vector<InfoHash> hashes = fetched->metainfo.AllInfoHashes();
    if (std::find(hashes.begin(), hashes.end(), asked_) != hashes.end()) {
      return Finish({fetched->metainfo, {}, {}, {}}, context);
    }
    context.out.Note(TrackerTrouble{from, "it answers with another torrent than the magnet link's"});
  }
  if (!tracker.announcing && response.outcome == tracker_api::Outcome::kNotFound) ++tracker.denials;
  const bool announcing = tracker.announcing;
  Settle(tracker, context);
  const auto* peers = std::get_if<tracker_api::Peers>(&response.body);
  if (!announcing || peers == nullptr) return;
  for (const tracker_api::PeerClaim& claim : peers->peers) Hear(claim.peer, AddressBook::Source::kTracker);
  // One that names nobody but who asks is asked again before its interval is over, at growing gaps.
  const bool somebody = peers->peers.size() > 1 ||
                        std::any_of(peers->peers.begin(), peers->peers.end(),
                                    [](const tracker_api::PeerClaim& claim) { return claim.complete; });
  if (somebody) {
    tracker.due = std::max(tracker.due, context.now + std::min(peers->interval, kPatienceWithTold));
  }
}

void MetadataFetch::PollTrackers(Ctx& context) {
  Instant next = Instant::Never();
  for (uint32_t i = 0; i < trackers_.size(); ++i) {
    MetadataTracker& tracker = trackers_[i];
    if (tracker.due <= context.now) {
      if (tracker.ask != 0) {
        trouble_ = "no answer in time";
        context.out.Note(TrackerTrouble{NodeId(i), trouble_});
        Settle(tracker, context);
      }
      if (tracker.due <= context.now) Ask(i, context);
    }
    next = std::min(next, tracker.due);
  }
  if (!answered_ && give_up_at_ > context.now) next = std::min(next, give_up_at_);
  context.out.Arm(Timer::kTracker, next);
}

bool MetadataFetch::TrackersSettled() const {
  return std::all_of(trackers_.begin(), trackers_.end(), [](const MetadataTracker& t) { return t.settled; });
}

// Nobody to ask, and no reason to hope that this will change.
void MetadataFetch::GiveUpIfAlone(Ctx& context) {
  if (book_.known() > 0 || config_.wait_for_registration || over_) return;
  if (!answered_ && !trackers_.empty() && context.now >= give_up_at_) {
    return Fail(absl::StrCat("no tracker could be reached: ", trouble_, "; start one, or name another"),
                FailureCause::kNoTracker, context);
  }
  const bool unknown = std::all_of(trackers_.begin(), trackers_.end(), [](const MetadataTracker& t) {
    return t.settled && t.denials >= kDenials;
  });
  if (!trackers_.empty() && unknown) {
    return Fail("the trackers know no torrent with the magnet link's info-hash, and it names no peer",
                FailureCause::kNotFound, context);
  }
  if (trackers_.empty()) Fail("every peer of the magnet link has lied", FailureCause::kOther, context);
}

// --- for onlookers ---

Progress MetadataFetch::progress() const {
  Progress progress;
  progress.tracker_answered = answered_;
  progress.peers_known = static_cast<uint32_t>(book_.known());
  progress.peers_banned = static_cast<uint32_t>(book_.bans());
  for (const auto& [link, peer] : peers_)
    progress.peers_connected += peer.state == Peer::State::kReady ? 1 : 0;
  return progress;
}

void MetadataFetch::CheckInvariants() const {
  CHECK(peers_.size() <= kLinks);
  CHECK(heard_.size() <= config_.limits.given_addresses);
  CHECK(!attempt_ || attempt_->size() <= kTorrentFileLimit);
}

uint64_t MetadataFetch::Digest() const {
  RollingDigest digest;
  digest.Add(ask_id_);
  digest.Add(next_link_);
  digest.Add(uint64_t{peers_.size()});
  digest.Add(uint64_t{attempt_ ? attempt_->parts().missing() : 0});
  digest.Add(uint64_t{info_.size()});
  digest.Add(uint64_t{book_.known()});
  return digest.value();
}

}  // namespace bt::swarm
