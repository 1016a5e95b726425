// What a registry client makes of the answers.

#include <absl/container/btree_set.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "sim/scenarios/registry_client.h"

namespace bt::sim {

using tracker_api::Outcome;
using tracker_api::Response;

namespace {

tracker_api::MutationId IdOf(const tracker_api::Request& request) {
  return std::visit(
      [](const auto& one) {
        if constexpr (requires { one.id; }) {
          return one.id;
        } else {
          return tracker_api::MutationId{};
        }
      },
      request);
}

// No peer twice, and no more than asked for.
bool WellFormed(const tracker_api::Peers& peers, uint32_t limit) {
  absl::btree_set<Address> seen;
  for (const tracker_api::PeerClaim& one : peers.peers) {
    if (!seen.insert(one.peer).second) return false;
  }
  return peers.peers.size() <= limit;
}

}  // namespace

void RegistryClient::OnSessionExpired() {
  const tracker_api::MutationId id = IdOf(op_->request);
  if (id.sequence < 2) {
    return world_.Fail(absl::StrFormat(
        "sessions: client %d asked %s, which begins a session, and is told that the session is over", index_,
        TraceText(op_->request)));
  }
  if (id.session != session_) return Finish();  // a repetition from the session before
  sessions_.Answered(Outcome::kSessionExpired, op_asked_session_time_, cluster_.session_time());
  // The session is over, so this mutation will never be executed; it may have been, before.
  if (op_->claims()) claims_.MadeOrNot(claim(op_->content), op_->change(), op_asked_, cluster_.log_time());
  NewSession();
  Finish();
}

void RegistryClient::OnAnswer(const Response& response) {
  if (!Accepts(response)) {
    return world_.Fail(absl::StrFormat("answers: client %d asked %s and was told %s", index_,
                                       TraceText(op_->request), TraceText(response)));
  }
  if (op_->mutates()) Remember(response);
  if (walk_.has_value()) {
    const auto& listing = std::get<tracker_api::Listing>(response.body);
    if (walk_->Page(listing, std::get<tracker_api::List>(op_->request).limit)) {
      std::get<tracker_api::List>(op_->request).after = walk_->after();
      first_ask_ = next_ask_ + 1;
      return Attempt();
    }
  }
  Finish();
}

// The log has answered: from here on it knows the session by this mutation.
void RegistryClient::Remember(const Response& response) {
  const tracker_api::MutationId id = IdOf(op_->request);
  if (op_->never_logged || id.session != session_) return;
  const Instant now = cluster_.session_time();
  if (id.sequence > 1) sessions_.Answered(response.outcome, op_asked_session_time_, now);
  sessions_.Used(op_asked_session_time_, now);
  sequence_ = id.sequence;
  // A first mutation is executed again once its session is forgotten, so its repetitions prove nothing.
  before_last_ = std::exchange(last_, std::nullopt);
  if (id.sequence > 1) last_ = Known{id, op_->request, response.outcome};
}

bool RegistryClient::Accepts(const Response& response) {
  if (op_->malformed) {
    return response.outcome == Outcome::kInvalid ||
           (!op_->never_logged && response.outcome == Outcome::kNotFound);
  }
  switch (op_->what) {
    case What::kRegister:
      return OnRegistered(response);
    case What::kFetch:
      return OnFetched(response);
    case What::kOffer:
    case What::kWithdraw:
      return OnClaimChanged(response);
    case What::kLookup:
      return OnLookup(response);
    case What::kAnnounce:
      return OnAnnounced(response);
    case What::kScrape:
      return OnScraped(response);
    case What::kList:
      return OnListed(response);
    case What::kStatus:
      return response.outcome == Outcome::kOk &&
             std::holds_alternative<tracker_api::NodeStatus>(response.body);
    case What::kRepeat:
      // A node that lags behind comes to the copy that was executed, and its answer is a true one.
      if (op_->verifies) {
        sessions_.Answered(response.outcome, op_asked_session_time_, cluster_.session_time());
      }
      return response.outcome == op_->known || (op_->stale && response.outcome == Outcome::kInvalid);
  }
  return false;
}

bool RegistryClient::OnRegistered(const Response& response) {
  if (op_->contradicts) return response.outcome == Outcome::kConflict;
  using Answer = NameSpec::Answer;
  const tracker_api::MutationId id = IdOf(op_->request);
  // Executed once, and this is the answer to that: a registration without a session, or with a session that
  // may have been forgotten meanwhile, may have been executed by an earlier attempt as well.
  const bool once = id.session == session_ && id.sequence > 1;
  switch (response.outcome) {
    case Outcome::kCreated:
      history_.EndRegister(op_->history, Answer::kCreated);
      return true;
    case Outcome::kOk:
      history_.EndRegister(op_->history, once ? Answer::kSameAgain : Answer::kBound);
      return true;
    case Outcome::kConflict:
      history_.EndRegister(op_->history, Answer::kConflict);
      return true;
    case Outcome::kTooLarge:
      if (once) history_.EndRegister(op_->history, Answer::kFull);
      return cluster_.limits_lowered();
    default:
      return false;
  }
}

bool RegistryClient::OnFetched(const Response& response) {
  if (response.outcome != Outcome::kOk && response.outcome != Outcome::kNotFound) return false;
  const auto* fetched = std::get_if<tracker_api::Fetched>(&response.body);
  if ((fetched != nullptr) != (response.outcome == Outcome::kOk)) return false;
  const ContentNumber found = fetched == nullptr ? 0 : NumberOf(fetched->metainfo.content());
  if (fetched != nullptr) {
    Metainfo expected = found == 0 ? Metainfo() : TestContent(found);
    expected.name = op_->name.empty() ? fetched->metainfo.name : op_->name;
    if (fetched->metainfo != expected) return false;
    if (op_->name.empty() && found != op_->content) return false;
    history_.SawBinding(expected.name, found, "a fetch");
  }
  if (op_->linearizable && !op_->name.empty()) history_.EndFetch(op_->history, found);
  if (op_->verifies && found != op_->content) {
    world_.Fail(
        absl::StrFormat("durability: %s was acknowledged for content %d, and a linearizable fetch "
                        "says %d (0: not found)",
                        op_->name.empty() ? "a name" : "the name " + op_->name, op_->content, found));
  }
  return true;
}

bool RegistryClient::OnClaimChanged(const Response& response) {
  // Without a registration nothing changes.
  if (response.outcome == Outcome::kNotFound) return true;
  if (response.outcome != Outcome::kOk) return false;
  claims_.Made(claim(op_->content), op_->change(), op_asked_, cluster_.log_time());
  return true;
}

bool RegistryClient::OnAnnounced(const Response& response) {
  if (response.outcome == Outcome::kNotFound) return !op_->verifies;
  const auto* peers = std::get_if<tracker_api::Peers>(&response.body);
  if (response.outcome != Outcome::kOk || peers == nullptr) return false;
  const auto& announce = std::get<tracker_api::Announce>(op_->request);
  for (const tracker_api::PeerClaim& one : peers->peers) {
    if (one.peer == announce.peer) return false;
    // Two seeders have nothing to say to each other; who begins may not know yet what is left.
    const bool begins = announce.event == tracker_api::AnnounceEvent::kStarted;
    if (one.complete && announce.left == 0 && !begins) return false;
  }
  // With a warning: its claim may not be kept, and the node says so.
  if (op_->verifies && response.reason.empty()) announced_ = announce;
  return WellFormed(*peers, announce.numwant);
}

bool RegistryClient::OnScraped(const Response& response) const {
  const auto* scraped = std::get_if<tracker_api::Scraped>(&response.body);
  if (response.outcome != Outcome::kOk || scraped == nullptr) return false;
  // Entries answer hashes that were asked for, each at most as often, and nobody claims but the clients.
  std::vector<InfoHash> asked = std::get<tracker_api::Scrape>(op_->request).info_hashes;
  for (const tracker_api::ScrapeEntry& entry : scraped->entries) {
    const auto at = std::find(asked.begin(), asked.end(), entry.info_hash);
    if (at == asked.end() || entry.complete + entry.incomplete > 2 * workload_.clients + workload_.strangers)
      return false;
    asked.erase(at);
  }
  return true;
}

bool RegistryClient::OnListed(const Response& response) {
  const auto* listing = std::get_if<tracker_api::Listing>(&response.body);
  if (response.outcome != Outcome::kOk || listing == nullptr) return false;
  for (const tracker_api::ListEntry& entry : listing->torrents) {
    const ContentNumber content = NumberOf(entry.content);
    if (content == 0 || entry.piece_length != TestContent(content).piece_length) return false;
    history_.SawBinding(entry.name, content, "a linearizable listing");
  }
  return true;
}

bool RegistryClient::OnLookup(const Response& response) {
  if (response.outcome == Outcome::kNotFound) {
    claims_.Seen(claim(op_->content), std::nullopt, op_asked_, cluster_.log_time());
    return true;
  }
  const auto* peers = std::get_if<tracker_api::Peers>(&response.body);
  const uint32_t limit = std::get<tracker_api::Lookup>(op_->request).limit;
  if (response.outcome != Outcome::kOk || peers == nullptr || !WellFormed(*peers, limit)) return false;
  std::optional<PieceMap> seen;
  for (const tracker_api::PeerClaim& found : peers->peers) {
    if (found.peer != peer()) continue;
    const uint32_t pieces = TestContent(op_->content).piece_count();
    seen = tracker_api::PiecesOf(found, pieces);
    if (seen->size() != pieces) return false;
  }
  if (limit < tracker_api::kLookupLimit) return true;  // it need not show everybody
  claims_.Seen(claim(op_->content), seen, op_asked_, cluster_.log_time());
  if (op_->verifies && announced_.has_value()) LookedForAnnounced(*peers);
  return true;
}

void RegistryClient::LookedForAnnounced(const tracker_api::Peers& peers) {
  const tracker_api::Announce announce = *announced_;
  if (TestInfoHash(op_->content) != announce.info_hash) return;
  announced_.reset();
  std::optional<bool> complete;
  for (const tracker_api::PeerClaim& found : peers.peers) {
    if (found.peer == announce.peer) complete = found.complete;
  }
  const bool stopped = announce.event == tracker_api::AnnounceEvent::kStopped;
  if (stopped ? !complete.has_value() : complete == (announce.left == 0)) return;
  world_.Fail(absl::StrFormat("announces: client %d announced %s, was answered, and the registry shows %s",
                              index_, TraceText(announce),
                              !complete.has_value() ? "nothing of it"
                              : *complete           ? "a seeder"
                                                    : "a peer without all pieces"));
}

}  // namespace bt::sim
