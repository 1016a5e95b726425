#include "sim/scenarios/registry_client.h"

#include <absl/strings/str_format.h>

#include <utility>

#include "core/base/check.h"

namespace bt::sim {

using tracker_api::Outcome;

namespace {

Metainfo MakeContent(ContentNumber number) {
  const uint64_t length = uint64_t{number} * 3 * kPieceLengthMin - number * 1000;
  MetainfoBuilder builder("unnamed", length, kPieceLengthMin);
  std::string bytes(length, static_cast<char>(number));
  for (uint64_t i = 0; i < length; i += 997) bytes[i] = static_cast<char>(i * number);
  builder.Update(bytes);
  return builder.Finish();
}

const InfoHash& TestInfoHash(ContentNumber number) {
  static const std::vector<InfoHash> hashes = [] {
    std::vector<InfoHash> made;
    for (ContentNumber i = 1; i <= kTestContents; ++i) {
      Metainfo named = TestContent(i);
      named.name = "name-0";
      made.push_back(named.AllInfoHashes().front());
    }
    return made;
  }();
  return hashes[number - 1];
}

}  // namespace

const Metainfo& TestContent(ContentNumber number) {
  static const std::vector<Metainfo> contents = [] {
    std::vector<Metainfo> made;
    for (ContentNumber i = 1; i <= kTestContents; ++i) made.push_back(MakeContent(i));
    return made;
  }();
  return contents[number - 1];
}

ContentNumber NumberOf(const ContentId& content) {
  for (ContentNumber i = 1; i <= kTestContents; ++i) {
    if (TestContent(i).content() == content) return i;
  }
  return 0;
}

RegistryClient::RegistryClient(World& world, Network& network, TrackerCluster& cluster,
                               RegistryHistory& history, RegistryWorkload workload)
    : world_(world),
      network_(network),
      cluster_(cluster),
      history_(history),
      workload_(workload),
      index_(network.Attach(this)),
      rng_(world.Stream("registry client", index_)),
      session_(rng_.Next() | 1) {}

Address RegistryClient::peer() const { return Address::V4(10, 1, 0, static_cast<uint8_t>(index_), 6881); }

void RegistryClient::After(Duration delay, Kind kind, uint64_t detail) {
  world_.After(delay, this, static_cast<uint64_t>(kind) << 56 | detail);
}

void RegistryClient::Begin() {
  operations_left_ = workload_.operations;
  After(rng_.Between(Duration{0}, workload_.think_max), Kind::kNext);
}

void RegistryClient::Verify() {
  for (const auto& [name, content] : history_.bindings()) {
    Op op{.what = What::kFetch, .name = name, .content = content, .verifies = true};
    op.request = tracker_api::Fetch{name, true};
    to_verify_.push_back(std::move(op));
  }
  for (const RegistryHistory::ClaimKey& key : history_.settled_claims()) {
    if (key.client != index_) continue;
    Op op{.what = What::kLookup, .content = key.content, .verifies = true};
    op.request = tracker_api::Lookup{TestContent(key.content).content(), true, 1000};
    to_verify_.push_back(std::move(op));
  }
  if (!op_.has_value()) After(Duration{0}, Kind::kNext);
}

std::string RegistryClient::Situation() const {
  if (!op_.has_value()) return absl::StrFormat("client %d waits", index_);
  return absl::StrFormat("client %d has tried %d times: %s", index_, op_->attempts, TraceText(op_->request));
}

RegistryClient::Op RegistryClient::DrawOp() {
  Op op{};
  op.name = absl::StrFormat("name-%d", rng_.Below(workload_.names));
  op.content = static_cast<ContentNumber>(rng_.Between(1, kTestContents));
  const Metainfo& metainfo = TestContent(op.content);
  const uint64_t draw = rng_.Below(100);
  if (draw < 30) {
    op.what = What::kRegister;
    tracker_api::Register request{{session_, ++sequence_}, metainfo};
    request.metainfo.name = op.name;
    op.request = std::move(request);
  } else if (draw < 55) {
    op.what = What::kFetch;
    op.linearizable = !rng_.Chance(1, 5);
    op.request = tracker_api::Fetch{op.name, op.linearizable};
  } else if (draw < 85) {
    op.what = draw < 73 ? What::kOffer : What::kWithdraw;
    if (!rng_.Chance(1, 4)) {
      op.pieces = PieceMap(metainfo.piece_count());
      for (uint32_t i = 0; i < metainfo.piece_count(); ++i) {
        if (rng_.Chance(1, 2)) op.pieces->Add(PieceIndex(i));
      }
      if (op.pieces->none()) op.pieces->Add(PieceIndex(0));
    }
    const tracker_api::MutationId id{session_, ++sequence_};
    if (op.what == What::kOffer) {
      if (!op.pieces.has_value()) op.pieces = PieceMap::All(metainfo.piece_count());
      op.request = tracker_api::Offer{id, metainfo.content(), peer(), op.pieces->ToRanges()};
    } else {
      op.request = tracker_api::Withdraw{id, metainfo.content(), peer(),
                                         op.pieces ? op.pieces->ToRanges() : std::vector<PieceRange>()};
    }
  } else if (draw < 90) {
    // As an ordinary client would: from another port, so that the claims judged above stay its own.
    op.what = What::kAnnounce;
    tracker_api::Announce announce{.info_hash = TestInfoHash(op.content), .peer = peer()};
    announce.peer.port = 6999;
    announce.left = rng_.Below(2) * metainfo.length;
    announce.event = static_cast<tracker_api::AnnounceEvent>(rng_.Below(4));
    op.request = announce;
  } else {
    op.what = What::kLookup;
    op.request = tracker_api::Lookup{metainfo.content(), true, 1000};
  }
  return op;
}

void RegistryClient::StartOp(Op op) {
  op_ = std::move(op);
  if (op_->what == What::kRegister) {
    op_->history = history_.BeginRegister(index_, op_->name, op_->content);
  } else if (op_->what == What::kFetch && op_->linearizable) {
    op_->history = history_.BeginFetch(index_, op_->name);
  } else if (op_->what == What::kOffer || op_->what == What::kWithdraw) {
    history_.BeginClaimChange(claim(op_->content));
  }
  first_ask_ = next_ask_ + 1;
  Attempt();
}

void RegistryClient::Attempt() {
  ++op_->attempts;
  const auto& targets = cluster_.targets();
  asked_ = targets[rng_.Below(targets.size())];
  const uint64_t id = ++next_ask_;
  world_.Trace("client", [&] {
    return absl::StrFormat("%d asks tracker-%d (%d): %s", index_, asked_ + 1, id, TraceText(op_->request));
  });
  network_.Send(index_, asked_, Slice::Own(Encode(EdgeMessage(tracker_api::Ask{id, op_->request}))));
  After(rng_.Between(Milliseconds(200), Seconds(6)), Kind::kTimeout, id);
}

void RegistryClient::Retry() {
  After(rng_.Between(Milliseconds(1), Milliseconds(300)), Kind::kRetry, next_ask_);
}

void RegistryClient::Finish() {
  op_.reset();
  After(rng_.Between(Duration{0}, workload_.think_max), Kind::kNext);
}

void RegistryClient::Fire(uint64_t argument) {
  const uint64_t detail = argument & 0xff'ffff'ffff'ffffu;
  switch (static_cast<Kind>(argument >> 56)) {
    case Kind::kNext:
      if (op_.has_value()) return;
      if (!to_verify_.empty()) {
        Op op = std::move(to_verify_.front());
        to_verify_.pop_front();
        StartOp(std::move(op));
      } else if (operations_left_ > 0) {
        --operations_left_;
        StartOp(DrawOp());
      }
      return;
    case Kind::kTimeout:
      if (!op_.has_value() || detail != next_ask_) return;
      if (rng_.Chance(1, 2)) {
        network_.Send(index_, asked_,
                      Slice::Own(Encode(EdgeMessage(tracker_api::Unreachable{detail, "hung up"}))));
      }
      Attempt();
      return;
    case Kind::kRetry:
      if (op_.has_value() && detail == next_ask_) Attempt();
      return;
  }
}

void RegistryClient::Deliver(uint32_t, const Slice& bytes) {
  const absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
  if (!message.ok()) return world_.Fail("a tracker's answer does not decode");
  if (const auto* answer = std::get_if<tracker_api::Answer>(&*message)) {
    // Any attempt's answer will do, also one that comes after the next attempt went out.
    if (!op_.has_value() || answer->id < first_ask_ || answer->id > next_ask_) return;
    if (LeftNoTrace(answer->response.outcome)) {
      if (op_->what == What::kAnnounce)
        return world_.Fail("answers: an announce was refused for want of a quorum");
      if (answer->id == next_ask_) Retry();
      return;
    }
    OnAnswer(answer->response);
  } else if (const auto* unreachable = std::get_if<tracker_api::Unreachable>(&*message)) {
    if (op_.has_value() && unreachable->id == next_ask_) Retry();
  }
}

bool RegistryClient::OnRegistered(const Op& op, const tracker_api::Response& response) {
  if (response.outcome == Outcome::kCreated) {
    history_.EndRegister(op.history, NameSpec::Answer::kCreated);
  } else if (response.outcome == Outcome::kOk) {
    history_.EndRegister(op.history, NameSpec::Answer::kSameAgain);
  } else if (response.outcome == Outcome::kConflict) {
    history_.EndRegister(op.history, NameSpec::Answer::kConflict);
  } else if (response.outcome == Outcome::kTooLarge && cluster_.limits_lowered()) {
    history_.EndRegister(op.history, NameSpec::Answer::kFull);
  } else {
    return false;
  }
  return true;
}

bool RegistryClient::OnFetched(const Op& op, const tracker_api::Response& response) {
  if (response.outcome != Outcome::kOk && response.outcome != Outcome::kNotFound) return false;
  const auto* fetched = std::get_if<tracker_api::Fetched>(&response.body);
  if ((fetched != nullptr) != (response.outcome == Outcome::kOk)) return false;
  const ContentNumber found = fetched == nullptr ? 0 : NumberOf(fetched->metainfo.content());
  if (fetched != nullptr) {
    Metainfo expected = found == 0 ? Metainfo() : TestContent(found);
    expected.name = op.name;
    if (fetched->metainfo != expected) return false;
  }
  if (op.linearizable) {
    history_.EndFetch(op.history, found);
  } else {
    history_.SawBinding(op.name, found, "a local fetch");
  }
  if (op.verifies && found != op.content) {
    world_.Fail(
        absl::StrFormat("durability: the name %s was acknowledged for content %d; after healing a fetch "
                        "says %d (0: not found)",
                        op.name, op.content, found));
  }
  return true;
}

void RegistryClient::OnAnswer(const tracker_api::Response& response) {
  const Op op = *op_;
  const auto unexpected = [&] {
    world_.Fail(absl::StrFormat("answers: client %d asked %s and was told %s", index_, TraceText(op.request),
                                TraceText(response)));
  };
  switch (op.what) {
    case What::kRegister:
      if (!OnRegistered(op, response)) unexpected();
      break;
    case What::kFetch:
      if (!OnFetched(op, response)) return unexpected();
      break;
    case What::kOffer:
    case What::kWithdraw:
      // Without a registration nothing changes.
      if (response.outcome == Outcome::kNotFound) {
        history_.Withdrawn(claim(op.content), nullptr);
      } else if (response.outcome != Outcome::kOk) {
        unexpected();
      } else if (op.what == What::kOffer) {
        history_.Offered(claim(op.content), *op.pieces);
      } else {
        history_.Withdrawn(claim(op.content), op.pieces ? &*op.pieces : nullptr);
      }
      break;
    case What::kLookup:
      OnLookup(op, response);
      break;
    case What::kAnnounce:
      if (response.outcome != Outcome::kOk && response.outcome != Outcome::kNotFound) return unexpected();
      break;
  }
  Finish();
}

void RegistryClient::OnLookup(const Op& op, const tracker_api::Response& response) {
  std::optional<PieceMap> seen;
  if (const auto* peers = std::get_if<tracker_api::Peers>(&response.body)) {
    for (const tracker_api::PeerClaim& found : peers->peers) {
      if (found.peer != peer()) continue;
      if (seen.has_value()) return world_.Fail("claims: a lookup lists one peer twice");
      seen = PieceMap::FromRanges(found.pieces, TestContent(op.content).piece_count());
      if (!seen.has_value()) return world_.Fail("claims: a lookup lists pieces that are none");
    }
  } else if (response.outcome != Outcome::kNotFound) {
    return world_.Fail("answers: a lookup was told " + TraceText(response));
  }
  history_.CheckClaim(claim(op.content), seen,
                      op.verifies ? "a linearizable lookup after healing" : "a linearizable lookup");
}

}  // namespace bt::sim
