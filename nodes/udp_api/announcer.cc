#include "nodes/udp_api/announcer.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace bt::nodes {

namespace api = tracker_api;

api::AnnounceEvent UdpAnnouncer::EventOf(const api::Announce& announce) const {
  if (announce.event == api::AnnounceEvent::kStopped) return api::AnnounceEvent::kStopped;
  if (!started_) return api::AnnounceEvent::kStarted;
  return announce.left == 0 && last_.left > 0 ? api::AnnounceEvent::kCompleted : api::AnnounceEvent::kNone;
}

std::optional<UdpAnnouncer::Answer> UdpAnnouncer::Ask(const api::Announce& announce, Instant now) {
  api::Announce asked = announce;
  asked.event = EventOf(announce);
  const bool stops = asked.event == api::AnnounceEvent::kStopped;
  if (stops && !started_ && !wanted_) return api::Peers{};
  const bool stands = latest_ && now < stands_until_;
  if (stands && (asked.event == api::AnnounceEvent::kNone || !latest_->ok())) {
    if (latest_->ok()) last_.left = asked.left;
    return latest_;
  }
  if (wanted_ && wanted_->event == asked.event) {
    wanted_ = asked;
  } else {
    Begin(asked);
  }
  return std::nullopt;
}

// Asked for the first time, whatever was asked before: goes out at once.
void UdpAnnouncer::Begin(const api::Announce& announce) {
  wanted_ = announce;
  connect_ = announce_ = Step{};
  send_at_ = Instant{};
}

std::optional<std::string> UdpAnnouncer::Poll(Instant now, Rng& rng) {
  if (!wanted_ && started_ && latest_ && latest_->ok() && now >= stands_until_) Begin(last_);
  if (!wanted_ || now < send_at_) return std::nullopt;
  const bool announces = connected(now);
  Step& step = announces ? announce_ : connect_;
  if (!step.transaction) step.transaction = static_cast<uint32_t>(rng.Next());
  send_at_ = now + kFirstPatience * (int64_t{1} << std::min(step.sent, kDoublings));
  ++step.sent;
  return announces ? RenderUdpAnnounce(*connection_, *step.transaction, *wanted_, client_)
                   : RenderUdpConnect(*step.transaction);
}

Instant UdpAnnouncer::deadline() const {
  if (wanted_) return send_at_;
  return started_ && latest_ && latest_->ok() ? stands_until_ : Instant::Never();
}

std::optional<UdpAnnouncer::Answer> UdpAnnouncer::Receive(std::string_view datagram, Instant now) {
  std::optional<UdpAnswered> answered = ReadUdpAnswer(datagram, v4_);
  if (!answered || !wanted_) return std::nullopt;
  const bool connects = answered->transaction == connect_.transaction;
  if (!connects && answered->transaction != announce_.transaction) return std::nullopt;
  if (const auto* connected = std::get_if<UdpConnected>(&answered->answer); connected != nullptr) {
    if (!connects) return std::nullopt;
    connection_ = connected->connection;
    connected_until_ = now + kConnectionLifetime;
    connection_used_ = false;
    connect_ = Step{};
    send_at_ = Instant{};
    return std::nullopt;
  }
  if (auto* error = std::get_if<UdpError>(&answered->answer)) return Refused(std::move(error->why), now);
  auto* peers = std::get_if<api::Peers>(&answered->answer);
  if (connects || peers == nullptr) return std::nullopt;
  return Announced(std::move(*peers), now);
}

std::optional<UdpAnnouncer::Answer> UdpAnnouncer::Refused(std::string why, Instant now) {
  connection_.reset();
  // A tracker that was started anew does not know the ids it gave before: it is asked once more with a new
  // one.
  if (std::exchange(connection_used_, false)) {
    Begin(*wanted_);
    return std::nullopt;
  }
  wanted_.reset();
  stands_until_ = now + kRefusalStands;
  latest_ = absl::FailedPreconditionError(why.empty() ? "it refuses the announce"
                                                      : absl::StrCat("it refuses the announce: ", why));
  return latest_;
}

UdpAnnouncer::Answer UdpAnnouncer::Announced(api::Peers peers, Instant now) {
  last_ = *std::exchange(wanted_, std::nullopt);
  started_ = last_.event != api::AnnounceEvent::kStopped;
  last_.event = api::AnnounceEvent::kNone;
  connection_used_ = true;
  peers.interval = std::clamp(peers.interval, kIntervalMin, kIntervalMax);
  stands_until_ = now + peers.interval;
  latest_ = std::move(peers);
  return *latest_;
}

}  // namespace bt::nodes
