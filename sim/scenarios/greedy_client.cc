#include "sim/scenarios/greedy_client.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "sim/scenarios/registry_operation.h"

namespace bt::sim {
namespace {

constexpr uint32_t kRequests = 400;
constexpr uint32_t kLastRequests = 40;
constexpr Duration kPatience = Milliseconds(300);
constexpr uint64_t kReadsAtOnceMax = 64;

}  // namespace

GreedyClient::GreedyClient(World& world, Network& network, TrackerCluster& cluster, RegistryHistory& history)
    : world_(world),
      cluster_(cluster),
      network_(network),
      history_(history),
      index_(network.Attach(this)),
      rng_(world.Stream("greedy client", index_)),
      pause_max_(Milliseconds(static_cast<int64_t>(1 << rng_.Below(8)))),
      session_(rng_.Next() | 1) {}

void GreedyClient::Begin() {
  left_ = kRequests;
  world_.After(rng_.Between(Duration{0}, pause_max_), this, 0);
}

void GreedyClient::Hurry() { left_ = std::min(left_, kLastRequests); }

Address GreedyClient::DrawPeer() {
  const uint8_t host = static_cast<uint8_t>(rng_.Chance(1, 2) ? index_ : rng_.Between(1, 4));
  return Address::V4(10, rng_.Chance(1, 2) ? 1 : 2, 0, host, static_cast<uint16_t>(rng_.Between(1, 40)));
}

tracker_api::Request GreedyClient::DrawRequest() {
  const ContentNumber content = static_cast<ContentNumber>(rng_.Between(1, kTestContents));
  const uint64_t draw = rng_.Below(10);
  if (draw == 0) {
    tracker_api::Register request{Next(), TestContent(content)};
    request.metainfo.name = absl::StrFormat("greedy-%d-%d", index_, rng_.Below(30));
    // Whatever became of it: others may find the name bound.
    history_.BeginRegister(index_, request.metainfo.name, content);
    return request;
  }
  const Address peer = DrawPeer();
  if (draw < 6) {
    return tracker_api::Announce{.info_hash = TestInfoHash(content), .peer = peer, .left = rng_.Below(2)};
  }
  const uint32_t pieces = static_cast<uint32_t>(rng_.Below(TestContent(content).piece_count()) + 1);
  return tracker_api::Offer{Next(), TestContent(content).content(), peer, {{PieceIndex(0), pieces}}};
}

tracker_api::Request GreedyClient::DrawRead() {
  if (rng_.Chance(1, 2)) return tracker_api::List{"", static_cast<uint32_t>(rng_.Between(1, 40)), true};
  const ContentNumber content = static_cast<ContentNumber>(rng_.Between(1, kTestContents));
  return tracker_api::Lookup{.torrent = TestContent(content).content(), .linearizable = true};
}

// One request, or many linearizable reads, of which it waits for the last.
void GreedyClient::Ask() {
  const auto& targets = cluster_.targets();
  const uint32_t target = targets[rng_.Below(targets.size())];
  const auto send = [&](tracker_api::Request request) {
    network_.Send(index_, target,
                  Slice::Own(Encode(EdgeMessage(tracker_api::Ask{++asked_, std::move(request)}))));
  };
  if (rng_.Chance(1, 20)) {
    for (uint64_t count = rng_.Between(2, kReadsAtOnceMax); count > 0; --count) send(DrawRead());
  } else {
    send(DrawRequest());
  }
  --left_;
  world_.After(kPatience, this, asked_);
}

// The argument is what it was waiting for.
void GreedyClient::Fire(uint64_t argument) {
  if (argument == asked_ && left_ > 0) Ask();
}

void GreedyClient::Deliver(uint32_t, const Slice& bytes) {
  const absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
  if (!message.ok()) return world_.Fail("a tracker's answer does not decode");
  const auto* answer = std::get_if<tracker_api::Answer>(&*message);
  if (answer == nullptr || answer->id != asked_) return;
  if (answer->response.outcome == tracker_api::Outcome::kSessionExpired) {
    session_ = SessionId(rng_.Next() | 1);
    sequence_ = 0;
  }
  world_.After(rng_.Between(Duration{0}, pause_max_), this, asked_);
}

}  // namespace bt::sim
