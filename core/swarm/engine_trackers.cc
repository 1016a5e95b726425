// Engine's part for what trackers and web servers answer.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/swarm/engine.h"

namespace bt::swarm {
namespace {

bool Matches(const Metainfo& metainfo, const tracker_api::TorrentKey& key) {
  if (const auto* content = std::get_if<ContentId>(&key)) return metainfo.content() == *content;
  if (const auto* name = std::get_if<std::string>(&key)) return metainfo.name == *name;
  const std::vector<InfoHash> hashes = metainfo.AllInfoHashes();
  return std::find(hashes.begin(), hashes.end(), std::get<InfoHash>(key)) != hashes.end();
}

}  // namespace

void Client::Engine::Fetched(tracker_api::Response response, Ctx& context) {
  if (phase_ != Phase::kFetching) return;
  Metainfo& metainfo = std::get<tracker_api::Fetched>(response.body).metainfo;
  if (!Matches(metainfo, *config_.key)) {
    return Fail(
        absl::StrCat("the tracker answered with another torrent than ", tracker_api::KeyText(*config_.key)),
        context);
  }
  TorrentArrived(std::move(metainfo), context);
}

void Client::Engine::Handle(const Received<swarm::Protocol>& input, Ctx& context) {
  if (const auto* range = std::get_if<RangeFetched>(&input.message)) {
    if (phase_ == Phase::kDownloading) web_seeds_->Answered(*range, context);
    return;
  }
  TrackerEvent(tracker_.Receive(input.message, verified(), context), context);
}

void Client::Engine::TrackerEvent(TrackerSession::Event event, Ctx& context) {
  using Kind = TrackerSession::Event::Kind;
  if (event.kind == Kind::kWithdrawn) context.out.Note(Withdrawn{tracker_.claimed().count()});
  if (!speaking()) return;
  switch (event.kind) {
    case Kind::kNothing:
    case Kind::kWithdrawn:
      return;
    case Kind::kFetched:
      return Fetched(std::move(event.response), context);
    case Kind::kOffered:
      return context.out.Note(Offered{tracker_.claimed().count(), verified().size()});
    case Kind::kPeers:
      return Heard(std::get<tracker_api::Peers>(event.response.body), context);
    case Kind::kNotFound: {
      const Metainfo* known = metainfo();
      const std::string name = known != nullptr
                                   ? absl::StrCat(known->name, " (", known->content().ToString(), ")")
                                   : tracker_api::KeyText(*config_.key);
      if (config_.wait_for_registration || web_seeds_may_help()) {
        if (phase_ == Phase::kFetching) tracker_.Fetch(*config_.key);
        return;
      }
      return Fail(absl::StrCat("the trackers know no torrent ", name, ": register it first"), context,
                  FailureCause::kNotFound);
    }
    case Kind::kRefused: {
      const std::string reason = absl::StrCat("the tracker refuses: ", event.response.reason);
      if (phase_ == Phase::kFetching || config_.role == Role::kOffer) return Fail(reason, context);
      return context.out.Note(TrackerTrouble{NodeId(0), reason});
    }
    case Kind::kLookupRefused:
      return context.out.Note(
          TrackerTrouble{NodeId(0), absl::StrCat("the tracker refuses: ", event.response.reason)});
  }
}

void Client::Engine::Heard(const tracker_api::Peers& answer, Ctx& context) {
  if (torrent_) torrent_->ToldInfoHashes(answer.info_hashes);
  const std::vector<tracker_api::PeerClaim>& peers = answer.peers;
  for (const tracker_api::PeerClaim& claim : peers) {
    // Two seeders have nothing to say to each other.
    if (phase_ == Phase::kOffering && claim.complete) continue;
    book_.Add(claim.peer, AddressBook::Source::kTracker);
  }
  if (peers.size() != peers_found_) context.out.Note(PeersFound{static_cast<uint32_t>(peers.size())});
  peers_found_ = peers.size();
  Dial(context);
}

}  // namespace bt::swarm
