#include "sim/streams.h"

#include <algorithm>

#include "core/base/check.h"

namespace bt::sim {
namespace {

constexpr uint64_t kChunk = 64 * 1024;         // moved by one event at most
constexpr uint64_t kLimitedChunk = 16 * 1024;  // ... that shares a node's rate with others
constexpr uint64_t kMergeMax = 4 * 1024;
constexpr uint64_t kMillion = 1'000'000;

}  // namespace

void Streams::Attach(uint32_t node, StreamUser* user, Address address) {
  if (nodes_.size() <= node) nodes_.resize(node + 1);
  nodes_[node].user = user;
  nodes_[node].address = address;
  listeners_[address] = node;
}

void Streams::Limit(uint32_t node, uint64_t up, uint64_t down) {
  nodes_[node].up_rate = up;
  nodes_[node].down_rate = down;
}

void Streams::SetUp(uint32_t node, bool up) {
  nodes_[node].up = up;
  nodes_[node].reading_paused = false;
  if (up) return;
  std::vector<uint64_t> ids;
  for (const auto& [id, stream] : streams_) {
    if (stream->node[0] == node || stream->node[1] == node) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    Stream& stream = *streams_.at(id);
    const int end = stream.node[0] == node ? 0 : 1;
    if (!stream.open[end]) continue;
    Detach(stream, end);
    stream.way[end].queue.clear();
    if (stream.faults.Chance(faults_.half_open_percent, 100)) {
      world_.Count(Fault::kHalfOpen, {node, stream.node[1 - end]});
    } else {
      SendEnd(stream, end, "connection reset by peer");
    }
    Reap(id);
  }
}

Streams::Stream* Streams::Find(uint32_t node, LinkId link, int& end) {
  const auto found = by_link_.find({node, link});
  if (found == by_link_.end()) return nullptr;
  end = found->second.second;
  return streams_.at(found->second.first).get();
}

void Streams::Connect(uint32_t node, LinkId link, const Address& to) {
  CHECK_MSG((link.value() & kInboundLink) == 0, "a machine's own link has the inbound bit set");
  CHECK_MSG(!by_link_.contains({node, link}), "a link id is used twice");
  const RandomStream rng = rng_.Fork("connection", ++next_id_);
  auto stream = std::make_unique<Stream>(Stream{rng.Fork("timing"), rng.Fork("faults")});
  stream->id = next_id_;
  stream->node[0] = node;
  stream->link[0] = link;
  stream->open[0] = true;
  stream->bytes_per_second = faults_.bytes_per_second;
  by_link_[{node, link}] = {stream->id, 0};
  Stream& made = *stream;
  streams_[made.id] = std::move(stream);
  const auto listener = listeners_.find(to);
  if (listener == listeners_.end()) {
    world_.After(Latency(made), this, Argument(Kind::kRefuse, made, 0));
    return;
  }
  made.node[1] = listener->second;
  if (made.faults.Chance(faults_.refuse_ppm, kMillion)) {
    world_.Count(Fault::kConnectRefused, {node, made.node[1]});
    world_.After(Latency(made), this, Argument(Kind::kRefuse, made, 0));
    return;
  }
  if (faults_.slow_ppm > 0 && made.faults.Chance(faults_.slow_ppm, kMillion)) {
    world_.Count(Fault::kSlowStream, {node, made.node[1]});
    made.bytes_per_second /= 20;
  }
  world_.After(Latency(made), this, Argument(Kind::kSyn, made, 0));
  world_.After(kConnectTimeout, this, Argument(Kind::kGiveUp, made, 0));
}

bool Streams::Blocked(const Stream& stream, int from) {
  return network_.IsCut(stream.node[from], stream.node[1 - from]);
}

void Streams::Syn(Stream& stream) {
  if (Blocked(stream, 0) || Blocked(stream, 1)) return;  // lost: the connector's time runs out
  Node& listener = nodes_[stream.node[1]];
  if (!listener.up) {
    world_.After(Latency(stream), this, Argument(Kind::kRefuse, stream, 0));
    return;
  }
  stream.link[1] = LinkId(++listener.next_inbound);
  stream.open[1] = true;
  stream.established = true;
  by_link_[{stream.node[1], stream.link[1]}] = {stream.id, 1};
  world_.After(Latency(stream), this, Argument(Kind::kSynAck, stream, 0));
  Address from = nodes_[stream.node[0]].address;
  from.port = static_cast<uint16_t>(32768 + stream.id % 28000);
  listener.user->StreamUp(stream.link[1], from);
}

void Streams::SynAck(Stream& stream) {
  if (!stream.open[0]) return;
  nodes_[stream.node[0]].user->StreamUp(stream.link[0], nodes_[stream.node[1]].address);
}

void Streams::SendBytes(uint32_t node, LinkId link, Slice bytes) {
  int end = 0;
  Stream* stream = Find(node, link, end);
  if (stream == nullptr || bytes.empty()) return;  // it went down, and the node has yet to hear it
  Direction& way = stream->way[end];
  CHECK_MSG(!way.closing, "bytes sent on a link after it was closed");
  way.total += bytes.size();
  way.queue.push_back(std::move(bytes));
  Pump(*stream, end);
}

void Streams::Pump(Stream& stream, int from) {
  Direction& way = stream.way[from];
  if (way.transmitting || way.in_line || way.ended) return;
  if (way.queue.empty()) {
    if (way.closing) SendEnd(stream, from, "closed by peer");
    return;
  }
  if (!MaySend(stream, from)) return;
  Node& node = nodes_[stream.node[from]];
  if (node.up_rate == 0) return Launch(stream, from);
  way.in_line = true;
  node.line.emplace_back(stream.id, from);
  NextInLine(node);
}

void Streams::NextInLine(Node& node) {
  while (!node.sending && !node.line.empty()) {
    const auto [id, from] = node.line.front();
    node.line.pop_front();
    const auto found = streams_.find(id);
    if (found == streams_.end()) continue;
    Direction& way = found->second->way[from];
    way.in_line = false;
    if (way.ended || way.queue.empty()) {
      Pump(*found->second, from);  // its end, if it waits for that
    } else if (MaySend(*found->second, from)) {
      node.sending = true;
      Launch(*found->second, from);
    }
  }
}

// When it may not, it is pumped again as soon as that has changed.
bool Streams::MaySend(Stream& stream, int from) {
  Direction& way = stream.way[from];
  const bool dead_peer = stream.established && !stream.open[1 - from];
  if (stream.established && !Blocked(stream, from) && !dead_peer && way.window_used < kWindow) {
    way.waiting_since = Instant::Never();
    return true;
  }
  if (way.waiting_since == Instant::Never() && stream.established) {
    // A peer that is up again answers what it does not know with a reset.
    way.waiting_since = world_.now();
    const bool answers = dead_peer && nodes_[stream.node[1 - from]].up && !Blocked(stream, from);
    world_.After(answers ? Latency(stream) * 2 : kSilenceTimeout, this,
                 Argument(Kind::kGiveUp, stream, from));
  }
  return false;
}

void Streams::Launch(Stream& stream, int from) {
  Direction& way = stream.way[from];
  const uint64_t up = nodes_[stream.node[from]].up_rate;
  Slice chunk = NextChunk(stream, from);
  const uint64_t most = std::min(up == 0 ? kChunk : kLimitedChunk, kWindow - way.window_used);
  if (chunk.size() > most || (chunk.size() > 1 && stream.timing.Chance(1, 16))) {
    const size_t cut = chunk.size() > most ? most : stream.timing.Between(1, chunk.size() - 1);
    way.queue.push_front(chunk.From(cut));
    chunk = chunk.Sub(0, cut);
  }
  way.window_used += chunk.size();
  way.transmitting = true;
  const uint64_t rate = up == 0 ? stream.bytes_per_second : std::min(up, stream.bytes_per_second);
  const Duration takes = Nanoseconds(static_cast<int64_t>(chunk.size() * 1'000'000'000 / rate));
  way.wire.push_back(std::move(chunk));
  world_.After(takes, this, Argument(Kind::kTransmitted, stream, from));
}

// The network keeps no borders between sends: now and then two small ones arrive as one.
Slice Streams::NextChunk(Stream& stream, int from) {
  Direction& way = stream.way[from];
  Slice chunk = way.queue.front();
  way.queue.pop_front();
  if (way.queue.empty() || chunk.size() + way.queue.front().size() > kMergeMax || !stream.timing.Chance(1, 4))
    return chunk;
  std::string both(chunk.view());
  both += way.queue.front().view();
  way.queue.pop_front();
  return Slice::Own(std::move(both));
}

void Streams::Transmitted(Stream& stream, int from) {
  Node& sender = nodes_[stream.node[from]];
  stream.way[from].transmitting = false;
  sender.sending = false;
  Left(stream, from);
  NextInLine(sender);
}

// A chunk has left its sender. The stream may be gone afterwards.
void Streams::Left(Stream& stream, int from) {
  Direction& way = stream.way[from];
  if (faults_.reset_ppm > 0 && stream.faults.Chance(faults_.reset_ppm, kMillion)) {
    world_.Count(Fault::kStreamReset, {stream.node[from], stream.node[1 - from]});
    const uint64_t id = stream.id;
    SendEnd(stream, from, "connection reset");
    SendEnd(stream, 1 - from, "connection reset");
    return Reap(id);
  }
  way.last_arrival = std::max(way.last_arrival, world_.now() + Latency(stream));
  Node& receiver = nodes_[stream.node[1 - from]];
  if (receiver.down_rate > 0) {
    const uint64_t bytes = way.wire.back().size();
    receiver.received = std::max(receiver.received, way.last_arrival) +
                        Nanoseconds(static_cast<int64_t>(bytes * 1'000'000'000 / receiver.down_rate));
    way.last_arrival = receiver.received;
  }
  world_.Schedule(way.last_arrival, this, Argument(Kind::kArrive, stream, from));
  if (way.queue.empty() && stream.open[from]) {
    const uint64_t id = stream.id;
    nodes_[stream.node[from]].user->StreamSent(stream.link[from], way.total);
    if (!streams_.contains(id)) return;
  }
  Pump(stream, from);
}

void Streams::Arrive(Stream& stream, int from) {
  Direction& way = stream.way[from];
  if (way.unread == way.wire.size()) return;
  ++way.unread;
  Read(stream, from);
}

void Streams::Read(Stream& stream, int from) {
  const uint64_t id = stream.id;
  const int to = 1 - from;
  Direction& way = stream.way[from];
  while (way.unread > 0 && !nodes_[stream.node[to]].reading_paused) {
    const Slice chunk = way.wire.front();
    way.wire.pop_front();
    --way.unread;
    if (stream.open[to]) nodes_[stream.node[to]].user->StreamBytes(stream.link[to], chunk);
    if (!streams_.contains(id)) return;
  }
  if (way.end_unread && !nodes_[stream.node[to]].reading_paused) Down(stream, to, stream.end_reason);
}

void Streams::PauseReading(uint32_t node, bool paused) {
  if (nodes_[node].reading_paused == paused) return;
  nodes_[node].reading_paused = paused;
  if (paused) return world_.Count(Fault::kPausedReading, {node});
  for (const uint64_t id : Ids()) {
    for (int from = 0; from < 2; ++from) {
      const auto found = streams_.find(id);
      if (found != streams_.end() && found->second->node[1 - from] == node) Read(*found->second, from);
    }
    Reap(id);
  }
}

void Streams::Consumed(uint32_t node, LinkId link, uint64_t bytes) {
  int end = 0;
  Stream* stream = Find(node, link, end);
  if (stream == nullptr) return;
  Direction& way = stream->way[1 - end];
  way.window_used -= std::min(way.window_used, bytes);
  Pump(*stream, 1 - end);
}

void Streams::SendEnd(Stream& stream, int from, std::string why) {
  Direction& way = stream.way[from];
  if (way.ended) return;
  way.ended = true;
  way.queue.clear();
  if (stream.end_reason.empty()) stream.end_reason = std::move(why);
  way.last_arrival = std::max(way.last_arrival, world_.now() + Latency(stream));
  world_.Schedule(way.last_arrival, this, Argument(Kind::kEnd, stream, from));
}

void Streams::Close(uint32_t node, LinkId link, bool flush) {
  int end = 0;
  Stream* stream = Find(node, link, end);
  if (stream == nullptr) return;
  const uint64_t id = stream->id;
  // The machine hears no more of a link it closed, flushed or not.
  Detach(*stream, end);
  stream->way[end].closing = true;
  if (flush && stream->established) {
    Pump(*stream, end);
  } else {
    SendEnd(*stream, end, "closed by peer");
  }
  Reap(id);
}

void Streams::Reset(uint32_t node, LinkId link) {
  int end = 0;
  Stream* stream = Find(node, link, end);
  if (stream == nullptr) return;
  SendEnd(*stream, end, "reset by the host");
  SendEnd(*stream, 1 - end, "reset by the host");
}

void Streams::Detach(Stream& stream, int end) {
  stream.open[end] = false;
  by_link_.erase({stream.node[end], stream.link[end]});
}

void Streams::Down(Stream& stream, int end, const std::string& why) {
  if (!stream.open[end]) return;
  Detach(stream, end);
  stream.way[end].queue.clear();
  nodes_[stream.node[end]].user->StreamDown(stream.link[end], why);
}

void Streams::Reap(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const Stream& stream = *found->second;
  if (stream.open[0] || stream.open[1]) return;
  for (const Direction& way : stream.way) {
    if (!way.queue.empty() || way.transmitting) return;
  }
  streams_.erase(found);
}

std::vector<uint64_t> Streams::Ids() const {
  std::vector<uint64_t> ids;
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  return ids;
}

void Streams::Wake() {
  for (const uint64_t id : Ids()) {
    for (int end = 0; end < 2; ++end) {
      const auto found = streams_.find(id);
      if (found != streams_.end()) Pump(*found->second, end);
    }
  }
}

void Streams::StopFaults() {
  faults_.refuse_ppm = 0;
  faults_.reset_ppm = 0;
  faults_.slow_ppm = 0;
  faults_.half_open_percent = 0;
  for (const auto& [id, stream] : streams_) stream->bytes_per_second = faults_.bytes_per_second;
  Wake();
}

void Streams::Fire(uint64_t argument) {
  const auto [kind, middle, id] = Packed::From(argument);
  const int end = static_cast<int>(middle);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  switch (kind) {
    case Kind::kSyn:
      Syn(stream);
      break;
    case Kind::kSynAck:
      SynAck(stream);
      break;
    case Kind::kRefuse:
      Down(stream, end, "connection refused");
      break;
    case Kind::kTransmitted:
      Transmitted(stream, end);
      break;
    case Kind::kArrive:
      Arrive(stream, end);
      break;
    case Kind::kEnd:
      stream.way[end].end_unread = true;
      Read(stream, end);
      break;
    case Kind::kGiveUp: {
      Direction& way = stream.way[end];
      if (!stream.established) {
        Down(stream, end, "connection timed out");
      } else if (way.waiting_since != Instant::Never()) {
        const bool dead = !stream.open[1 - end];
        const bool silent = Blocked(stream, end) && world_.now() - way.waiting_since >= kSilenceTimeout;
        if (dead || silent) {
          SendEnd(stream, end, "connection timed out");
          Down(stream, end, dead ? "connection reset by peer" : "connection timed out");
        } else {
          way.waiting_since = Instant::Never();
          Pump(stream, end);
        }
      }
      break;
    }
  }
  Reap(id);
}

}  // namespace bt::sim
