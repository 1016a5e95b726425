#include "net/replica_links.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/base/fields.h"
#include "net/frame_reader.h"

namespace bt::net {
namespace {

constexpr size_t kFramesPerWrite = 256;
constexpr int kAcceptsPerWake = 16;
constexpr Duration kAcceptPause = Milliseconds(200);
// A peer whose machine vanished, without so much as a reset, is given up after this long.
constexpr unsigned kUserTimeoutMilliseconds = 10'000;

struct QueuedFrame {
  std::array<char, kFrameHeaderBytes> header;
  Slice body;

  size_t size() const { return kFrameHeaderBytes + body.size(); }
};

void StoreHeader(std::string_view body, char* out) {
  const uint64_t parts[2] = {kFrameMagic | uint64_t{body.size()} << 32, HashBytes(body)};
  for (int i = 0; i < 16; ++i) out[i] = static_cast<char>(parts[i / 8] >> (i % 8 * 8) & 0xff);
}

void GiveUpOnVanishedPeer(int fd) {
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMilliseconds, sizeof kUserTimeoutMilliseconds);
  const int on = 1;
  const int idle_seconds = 5;
  const int interval_seconds = 2;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
}

}  // namespace

std::string EncodeFrameHeader(std::string_view body) {
  std::string header(kFrameHeaderBytes, '\0');
  StoreHeader(body, header.data());
  return header;
}

struct ReplicaLinks::Outgoing {
  enum class State : uint8_t { kWaiting, kConnecting, kUp };

  NodeId id;
  Address address;
  State state = State::kWaiting;
  Fd fd;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<Timer> timer;  // when waiting: the next attempt; else: connect and greeting time out
  std::optional<FrameReader> reader;
  bool greeted = false;  // the peer's Hello came: it is who we meant
  Duration back_off;
  std::deque<QueuedFrame> queue;
  size_t queued_bytes = 0;
  size_t front_written = 0;  // of the first frame, its header included
  bool dirty = false;
};

struct ReplicaLinks::Incoming {
  Fd fd;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<Timer> hello_timer;
  FrameReader reader;
  std::optional<NodeId> from;
};

ReplicaLinks::ReplicaLinks(Loop& loop, ReplicaLinksOptions options, uint64_t seed)
    : loop_(loop),
      options_(std::move(options)),
      rng_(seed),
      flush_(loop, [this] { Flush(); }),
      accept_pause_(loop, [this] { accept_watcher_->SetEvents(EPOLLIN); }) {
  for (const auto& [id, address] : options_.peers) {
    CHECK(id != options_.self);
    auto peer = std::make_unique<Outgoing>();
    peer->id = id;
    peer->address = address;
    peer->back_off = options_.back_off_min;
    outgoing_.emplace(id, std::move(peer));
  }
}

ReplicaLinks::~ReplicaLinks() = default;

absl::StatusOr<Address> ReplicaLinks::Listen(const Address& address) {
  CHECK(!listener_.fd.valid());
  absl::StatusOr<Listener> listener = net::Listen(address);
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  accept_watcher_ =
      std::make_unique<Watcher>(loop_, listener_.fd.get(), EPOLLIN, [this](uint32_t) { AcceptMany(); });
  return listener_.address;
}

void ReplicaLinks::Connect(Deliver deliver) {
  CHECK(deliver_ == nullptr);
  deliver_ = std::move(deliver);
  for (auto& [id, peer] : outgoing_) {
    peer->timer = std::make_unique<Timer>(loop_, [this, peer = peer.get()] {
      if (peer->state == Outgoing::State::kWaiting) return Dial(*peer);
      Lose(*peer);
    });
    Dial(*peer);
  }
}

bool ReplicaLinks::connected(NodeId peer) const {
  const auto found = outgoing_.find(peer);
  return found != outgoing_.end() && found->second->greeted;
}

// --- outgoing ---

void ReplicaLinks::Dial(Outgoing& peer) {
  ++counters_.connects;
  absl::StatusOr<Fd> fd = StartConnect(peer.address);
  if (!fd.ok()) return Lose(peer);
  peer.fd = *std::move(fd);
  GiveUpOnVanishedPeer(peer.fd.get());
  peer.state = Outgoing::State::kConnecting;
  peer.reader.emplace();
  peer.timer->Arm(loop_.now() + options_.connect_timeout);
  peer.watcher = std::make_unique<Watcher>(loop_, peer.fd.get(), EPOLLOUT,
                                           [this, &peer](uint32_t events) { OnOutgoingReady(peer, events); });
}

// Closes what there is of the connection and tries again later.
void ReplicaLinks::Lose(Outgoing& peer) {
  if (!peer.greeted) ++counters_.connect_failures;
  peer.watcher.reset();
  peer.fd.Reset();
  peer.state = Outgoing::State::kWaiting;
  peer.greeted = false;
  counters_.dropped_unconnected += peer.queue.size();
  peer.queue.clear();
  peer.queued_bytes = 0;
  peer.front_written = 0;
  // Half of the back-off is fixed, half random: nodes that lost each other together do not return together.
  const Duration half = peer.back_off / 2;
  peer.timer->Arm(loop_.now() + half + rng_.Between(Duration{0}, half));
  peer.back_off = std::min(peer.back_off * 2, options_.back_off_max);
}

void ReplicaLinks::OnOutgoingReady(Outgoing& peer, uint32_t events) {
  if (peer.state == Outgoing::State::kConnecting) {
    if (!ConnectError(peer.fd.get(), peer.address).ok()) return Lose(peer);
    peer.state = Outgoing::State::kUp;
    peer.timer->Arm(loop_.now() + options_.hello_timeout);
    peer.watcher->SetEvents(EPOLLIN);
    // Ahead of what was queued meanwhile; no need to wait for the answer.
    QueuedFrame hello{.header = {},
                      .body = Slice::Own(Encode(
                          ReplicaHello{.cluster = options_.cluster, .from = options_.self, .to = peer.id}))};
    StoreHeader(hello.body.view(), hello.header.data());
    peer.queued_bytes += hello.size();
    peer.queue.push_front(std::move(hello));
    return FlushPeer(peer);
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    OnGreeting(peer);
    if (peer.state != Outgoing::State::kUp) return;
  }
  if (events & EPOLLOUT) FlushPeer(peer);
}

// The peer says one thing on this connection, its Hello; then only its end.
void ReplicaLinks::OnGreeting(Outgoing& peer) {
  switch (peer.reader->Receive(peer.fd.get(), kHelloBytesMax)) {
    case FrameReader::Progress::kMore:
      break;
    case FrameReader::Progress::kClosed:
      return Lose(peer);
    case FrameReader::Progress::kEnough:
      break;
  }
  const FrameReader::Next next = peer.reader->Pop(kHelloBytesMax);
  if (next.kind == FrameReader::Kind::kNone) return;
  const auto hello = next.kind == FrameReader::Kind::kFrame
                         ? Decode<ReplicaHello>(next.body)
                         : absl::StatusOr<ReplicaHello>(absl::InvalidArgumentError("no frame"));
  const ReplicaHello expected{.cluster = options_.cluster, .from = peer.id, .to = options_.self};
  if (peer.greeted || !hello.ok()) {
    ++counters_.malformed;
    return Lose(peer);
  }
  if (*hello != expected) {
    ++counters_.foreign;
    return Lose(peer);
  }
  peer.greeted = true;
  peer.timer->Disarm();
  peer.back_off = options_.back_off_min;
}

void ReplicaLinks::Send(NodeId to, Slice body) {
  CHECK_MSG(body.size() <= kFrameBytesMax, "a frame of " + std::to_string(body.size()) + " bytes");
  const auto found = outgoing_.find(to);
  CHECK_MSG(found != outgoing_.end(), "node " + std::to_string(to.value()) + " is not a peer");
  Outgoing& peer = *found->second;
  if (peer.state == Outgoing::State::kWaiting) {
    ++counters_.dropped_unconnected;
    return;
  }
  QueuedFrame frame{.header = {}, .body = std::move(body)};
  StoreHeader(frame.body.view(), frame.header.data());
  peer.queued_bytes += frame.size();
  peer.queue.push_back(std::move(frame));
  // The oldest go first, newer ones tell more; but not one that is half written.
  while (peer.queue.size() > 1 &&
         (peer.queued_bytes > options_.queued_bytes_max || peer.queue.size() > options_.queued_frames_max)) {
    const auto oldest = peer.queue.begin() + (peer.front_written > 0 || !peer.greeted ? 1 : 0);
    if (oldest + 1 == peer.queue.end()) break;
    peer.queued_bytes -= oldest->size();
    peer.queue.erase(oldest);
    ++counters_.dropped_overflow;
  }
  peer.dirty = true;
  flush_.Schedule();
}

void ReplicaLinks::Flush() {
  for (auto& [id, peer] : outgoing_) {
    if (std::exchange(peer->dirty, false) && peer->state == Outgoing::State::kUp) FlushPeer(*peer);
  }
}

void ReplicaLinks::FlushPeer(Outgoing& peer) {
  while (!peer.queue.empty()) {
    std::array<iovec, 2 * kFramesPerWrite> vectors;
    size_t count = 0;
    size_t skip = peer.front_written;
    for (size_t i = 0; i < peer.queue.size() && i < kFramesPerWrite; ++i) {
      QueuedFrame& frame = peer.queue[i];
      const size_t from_header = std::min(skip, kFrameHeaderBytes);
      const size_t from_body = skip - from_header;
      if (from_header < kFrameHeaderBytes) {
        vectors[count++] = {frame.header.data() + from_header, kFrameHeaderBytes - from_header};
      }
      if (from_body < frame.body.size()) {
        vectors[count++] = {const_cast<char*>(frame.body.data()) + from_body, frame.body.size() - from_body};
      }
      skip = 0;
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t written = sendmsg(peer.fd.get(), &message, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) break;
    if (written < 0) return Lose(peer);
    ++counters_.writes;
    counters_.sent_bytes += static_cast<uint64_t>(written);
    size_t left = static_cast<size_t>(written) + peer.front_written;
    while (!peer.queue.empty() && left >= peer.queue.front().size()) {
      left -= peer.queue.front().size();
      peer.queued_bytes -= peer.queue.front().size();
      peer.queue.pop_front();
      ++counters_.sent_frames;
    }
    peer.front_written = left;
  }
  peer.watcher->SetEvents(peer.queue.empty() ? uint32_t{EPOLLIN} : uint32_t{EPOLLIN | EPOLLOUT});
}

// --- incoming ---

void ReplicaLinks::AcceptMany() {
  for (int i = 0; i < kAcceptsPerWake; ++i) {
    Accepted accepted = Accept(listener_.fd.get());
    if (accepted.outcome == AcceptOutcome::kNothing) return;
    if (accepted.outcome == AcceptOutcome::kGone) continue;
    if (accepted.outcome == AcceptOutcome::kNoResources) {
      accept_watcher_->SetEvents(0);
      accept_pause_.Arm(loop_.now() + kAcceptPause);
      return;
    }
    if (incoming_.size() >= options_.inbound_max) {
      // Strangers must not keep a peer out: the longest silent one makes room.
      ++counters_.turned_away;
      const auto silent = std::find_if(incoming_.begin(), incoming_.end(),
                                       [](const auto& entry) { return !entry.second->from.has_value(); });
      if (silent == incoming_.end()) continue;
      incoming_.erase(silent);
    }
    const uint64_t id = ++incoming_count_;
    auto connection = std::make_unique<Incoming>();
    connection->fd = std::move(accepted.fd);
    GiveUpOnVanishedPeer(connection->fd.get());
    connection->hello_timer = std::make_unique<Timer>(loop_, [this, id] { Drop(id); });
    connection->hello_timer->Arm(loop_.now() + options_.hello_timeout);
    connection->watcher = std::make_unique<Watcher>(loop_, connection->fd.get(), EPOLLIN,
                                                    [this, id](uint32_t) { OnIncomingReady(id); });
    incoming_.emplace(id, std::move(connection));
  }
}

void ReplicaLinks::Drop(uint64_t id) { incoming_.erase(id); }

void ReplicaLinks::OnIncomingReady(uint64_t id) {
  Incoming& connection = *incoming_.at(id);
  const size_t budget = connection.from ? options_.read_bytes_per_wake : kHelloBytesMax;
  const FrameReader::Progress progress = connection.reader.Receive(connection.fd.get(), budget);
  while (true) {
    FrameReader::Next next = connection.reader.Pop(connection.from ? kFrameBytesMax : kHelloBytesMax);
    if (next.kind == FrameReader::Kind::kNone) break;
    if (next.kind == FrameReader::Kind::kBad) {
      ++counters_.malformed;
      return Drop(id);
    }
    counters_.received_bytes += next.body.size() + kFrameHeaderBytes;
    if (connection.from) {
      ++counters_.received_frames;
      if (deliver_ == nullptr || deliver_(*connection.from, std::move(next.body))) continue;
      ++counters_.malformed;
      return Drop(id);
    }
    const absl::StatusOr<ReplicaHello> hello = Decode<ReplicaHello>(next.body);
    if (!hello.ok()) {
      ++counters_.malformed;
      return Drop(id);
    }
    if (hello->version != ReplicaHello::kVersion || hello->cluster != options_.cluster ||
        hello->to != options_.self || !options_.peers.contains(hello->from)) {
      ++counters_.foreign;
      return Drop(id);
    }
    // A peer has one connection to us; an older one is a leftover that it has given up.
    const auto leftover = std::find_if(incoming_.begin(), incoming_.end(), [&hello](const auto& entry) {
      return entry.second->from == hello->from;
    });
    if (leftover != incoming_.end()) incoming_.erase(leftover);
    connection.from = hello->from;
    connection.hello_timer->Disarm();
    // The answer is small and the first thing written: it fits the socket's buffer.
    const std::string body =
        Encode(ReplicaHello{.cluster = options_.cluster, .from = options_.self, .to = hello->from});
    const std::string frame = EncodeFrameHeader(body) + body;
    if (send(connection.fd.get(), frame.data(), frame.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(frame.size())) {
      return Drop(id);
    }
  }
  if (progress == FrameReader::Progress::kClosed) Drop(id);
}

}  // namespace bt::net
