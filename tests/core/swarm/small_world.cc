#include "tests/core/swarm/small_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/digest.h"
#include "core/torrent/sha1.h"

namespace bt::swarm::test {
namespace {

constexpr Duration kLatency = Milliseconds(1);

}  // namespace

PieceMap SmallWorld::Claimed(const Address& peer) const {
  const auto found = claims.find(peer);
  return found == claims.end() ? PieceMap(registered->piece_count()) : found->second;
}

size_t SmallWorld::Add(Config config, std::string file) {
  const size_t index = nodes_.size();
  const Address address = config.listen;
  nodes_.push_back(std::make_unique<Node>(now_, rng_.Fork("node", index)));
  Node& node = *nodes_.back();
  node.runner = std::make_unique<ClientRunner>(std::make_unique<Client>(std::move(config)), node.effects);
  node.address = address;
  node.file = std::move(file);
  to_start_.push_back(index);
  return index;
}

void SmallWorld::Restart(size_t index, Config config) {
  for (size_t s = 0; s < streams_.size(); ++s) {
    for (int end = 0; end < 2; ++end) {
      if (streams_[s].open && !streams_[s].ends[end].raw && streams_[s].ends[end].node == index) {
        CloseStream(s, end);
        stream_of_.erase({index, streams_[s].ends[end].link.value()});
      }
    }
  }
  Node& node = *nodes_[index];
  node.runner = std::make_unique<ClientRunner>(std::make_unique<Client>(std::move(config)), node.effects);
  node.notes.clear();
  node.existing = true;
  to_start_.push_back(index);
}

SmallWorld::RawPeer& SmallWorld::AddRaw(const Address& address) {
  raws_.push_back(std::make_unique<RawPeer>());
  raws_.back()->address = address;
  return *raws_.back();
}

void SmallWorld::Later(Duration delay, std::function<void()> action) {
  events_.emplace(std::make_pair(now_ + delay, ++sequence_), std::move(action));
}

void SmallWorld::Step(size_t index, Input<Protocol> input) {
  Run(index, [&](ClientRunner& runner) { runner.Deliver(std::move(input)); });
}

void SmallWorld::Run(size_t index, const std::function<void(ClientRunner&)>& action) {
  Node& node = *nodes_[index];
  action(*node.runner);
  EXPECT_FALSE(node.runner->machine().OverlookedPeer().has_value()) << "it could be asked, and is not";
  auto& effects = node.effects;
  for (auto& sent : std::exchange(effects.sent, {})) {
    if (const auto* fetch = std::get_if<FetchRange>(&sent.message)) {
      DoFetch(index, sent.to, *fetch);
    } else {
      DoAsk(index, sent.to, std::get<tracker_api::Ask>(sent.message));
    }
  }
  for (FileEffect& effect : std::exchange(effects.files, {})) DoFile(index, std::move(effect));
  for (LinkEffect& effect : std::exchange(effects.links, {})) DoLink(index, std::move(effect));
  for (auto& answer : std::exchange(effects.answers, {})) replies.push_back(std::move(answer.response));
  for (auto& note : std::exchange(effects.notes, {})) node.notes.push_back(std::move(note));
}

std::pair<size_t, int> SmallWorld::FindStream(size_t node, LinkId link) const {
  const auto found = stream_of_.find({node, link.value()});
  if (found == stream_of_.end()) return {SIZE_MAX, 0};
  const Stream& stream = streams_[found->second];
  return {found->second,
          !stream.ends[0].raw && stream.ends[0].node == node && stream.ends[0].link == link ? 0 : 1};
}

void SmallWorld::Transmit(size_t s, int from, std::string bytes) {
  Stream& stream = streams_[s];
  stream.total[from] += bytes.size();
  const uint64_t total = stream.total[from];
  while (!bytes.empty()) {
    const size_t size =
        std::min<size_t>(bytes.size(), rng_.Chance(1, 8) ? rng_.Between(1, 20) : rng_.Between(1, 50000));
    Later(kLatency, [this, s, from, part = bytes.substr(0, size)] {
      const Stream& stream = streams_[s];
      if (!stream.open) return;
      const End& end = stream.ends[1 - from];
      if (!end.raw) return Step(end.node, LinkReceived{end.link, Slice::Copy(part)});
      RawPeer& raw = *raws_[end.node];
      raw.received += part;
      if (raw.on_bytes) raw.on_bytes(*this, raw);
    });
    bytes.erase(0, size);
  }
  const End& sender = stream.ends[from];
  if (!sender.raw) {
    Later(kLatency, [this, s, from, total] {
      if (streams_[s].open) Step(streams_[s].ends[from].node, LinkSent{streams_[s].ends[from].link, total});
    });
  }
}

// The other end hears of it; the closing one does not.
void SmallWorld::CloseStream(size_t s, int from) {
  Stream& stream = streams_[s];
  if (!stream.open) return;
  stream.open = false;
  const End end = stream.ends[1 - from];
  if (end.raw) {
    raws_[end.node]->closed = true;
    raws_[end.node]->up = false;
    return;
  }
  const std::string why = "closed by the peer";
  const ClientRunner* const runner = nodes_[end.node]->runner.get();
  Later(kLatency, [this, end, why, runner] {
    if (nodes_[end.node]->runner.get() == runner) Step(end.node, LinkDown{end.link, why});
  });
}

void SmallWorld::DoLink(size_t index, LinkEffect effect) {
  if (const auto* connect = std::get_if<LinkConnect>(&effect)) {
    const LinkId link = connect->link;
    for (size_t r = 0; r < raws_.size(); ++r) {
      if (raws_[r]->address != connect->peer || raws_[r]->up) continue;
      raws_[r]->up = true;
      raws_[r]->closed = false;
      raws_[r]->received.clear();
      raws_[r]->link = link;
      raws_[r]->node = index;
      streams_.push_back({{{false, index, link}, {true, r, LinkId(0)}}});
      stream_of_[{index, link.value()}] = streams_.size() - 1;
      return Later(kLatency, [this, index, link, peer = connect->peer] { Step(index, LinkUp{link, peer}); });
    }
    for (size_t n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n]->address != connect->peer || client(n).stopped()) continue;
      const LinkId other(kInboundLink | next_inbound_++);
      streams_.push_back({{{false, index, link}, {false, n, other}}});
      const size_t s = streams_.size() - 1;
      stream_of_[{index, link.value()}] = s;
      stream_of_[{n, other.value()}] = s;
      // An accepted connection comes from a port that says nothing.
      Address from = nodes_[index]->address;
      from.port = static_cast<uint16_t>(40000 + next_inbound_);
      return Later(kLatency, [this, s, index, link, n, other, from, peer = connect->peer] {
        if (streams_[s].open) Step(n, LinkUp{other, from});
        if (streams_[s].open) Step(index, LinkUp{link, peer});
      });
    }
    return Later(kLatency, [this, index, link] { Step(index, LinkDown{link, "connection refused"}); });
  }
  const LinkId link = std::visit([](const auto& e) { return e.link; }, effect);
  const auto [s, end] = FindStream(index, link);
  if (s == SIZE_MAX || !streams_[s].open) return;
  if (auto* bytes = std::get_if<LinkSendBytes>(&effect)) {
    Transmit(s, end, std::string(bytes->bytes.view()));
  } else if (auto* block = std::get_if<LinkSendFile>(&effect)) {
    Node& node = *nodes_[index];
    if (node.mute) return;
    node.served.push_back(block->offset);
    if (block->offset + block->length > node.file.size()) {
      Later(kLatency, [this, index, e = *block] {
        Step(index, ReadFailed{e.file, e.offset, e.length, absl::DataLossError("the file is shorter")});
        Step(index, LinkDown{e.link, "the file could not be read"});
      });
      return CloseStream(s, end);
    }
    Transmit(s, end, std::string(block->header.view()) + node.file.substr(block->offset, block->length));
  } else if (std::holds_alternative<LinkClose>(effect)) {
    CloseStream(s, end);
  }
}

void SmallWorld::DoFile(size_t index, FileEffect effect) {
  Node& node = *nodes_[index];
  FileDone done;
  if (const auto* open = std::get_if<OpenFile>(&effect)) {
    FileOpened opened{open->file};
    if (open->mode == FileMode::kRead && node.file.size() != open->length) {
      opened.status = absl::FailedPreconditionError("the file has another length");
    } else if (open->mode == FileMode::kDownload) {
      opened.existing = node.existing;
      opened.resume = node.resume;
      opened.parts = node.found;
      node.file.resize(open->length);
    }
    done = opened;
  } else if (const auto* store = std::get_if<StoreBlock>(&effect)) {
    BlockStored stored{store->token, node.store_status};
    if (stored.status.ok()) {
      node.file.replace(store->offset, store->bytes.size(), store->bytes.view());
      stored.leaf = Sha256(store->bytes.view());
    }
    done = stored;
  } else if (const auto* hash = std::get_if<HashRange>(&effect)) {
    RangeHashed hashed{hash->token, node.hash_status};
    if (hash->offset + hash->length > node.file.size()) {
      hashed.status = absl::DataLossError("the file is shorter");
    }
    const std::string_view bytes =
        std::string_view(node.file).substr(std::min(hash->offset, node.file.size()), hash->length);
    if (hashed.status.ok() && hash->kind == RangeHash::kSha1) {
      hashed.sha1 = Sha1(bytes);
    } else if (hashed.status.ok()) {
      for (size_t at = 0; at < bytes.size(); at += kBlockSize) {
        hashed.leaves.push_back(Sha256(bytes.substr(at, kBlockSize)));
      }
    }
    done = hashed;
  } else if (const auto* checkpoint = std::get_if<Checkpoint>(&effect)) {
    node.resume = checkpoint->state;
    done = Checkpointed{checkpoint->file};
  } else if (std::get_if<FinishFile>(&effect) != nullptr) {
    node.finished = true;
    done = FileFinished{kContentFile};
  } else {
    return;
  }
  const ClientRunner* const runner = node.runner.get();
  Later(Microseconds(static_cast<int64_t>(rng_.Between(1, 500))),
        [this, index, runner, done = std::move(done)] {
          if (nodes_[index]->runner.get() == runner) Step(index, FileCompleted<Protocol>{done});
        });
}

void SmallWorld::DoFetch(size_t index, NodeId to, const FetchRange& fetch) {
  fetched.emplace_back(to.value(), fetch);
  const auto mode = web_mode.find(to.value());
  if (mode == web_mode.end() || mode->second == WebMode::kSilent) return;
  const FileTree& tree = registered->tree;
  const uint64_t begin = tree.empty() ? 0 : tree.first_piece(fetch.file) * registered->piece_length;
  std::string bytes = web_content.substr(begin + fetch.offset, fetch.length);
  RangeFetched answer{fetch.id, {}, {}};
  if (mode->second == WebMode::kWrong) bytes[0] = static_cast<char>(~bytes[0]);
  if (mode->second == WebMode::kShort) bytes.pop_back();
  if (mode->second == WebMode::kFailing) {
    answer.why = "HTTP 404";
  } else {
    answer.bytes = Slice::Own(std::move(bytes));
  }
  const ClientRunner* const runner = nodes_[index]->runner.get();
  Later(Milliseconds(20), [this, index, runner, to, answer = std::move(answer)] {
    if (nodes_[index]->runner.get() != runner) return;
    Step(index, Received<Protocol>{to, answer});
  });
}

tracker_api::Response SmallWorld::Answer(const tracker_api::Request& request) {
  tracker_api::Response response;
  if (!registered) {
    response.outcome = tracker_api::Outcome::kNotFound;
    return response;
  }
  const uint32_t pieces = registered->piece_count();
  if (const auto* offer = std::get_if<tracker_api::Offer>(&request)) {
    claims.try_emplace(offer->peer, pieces)
        .first->second.AddAll(*PieceMap::FromRanges(offer->pieces, pieces));
  } else if (const auto* withdraw = std::get_if<tracker_api::Withdraw>(&request)) {
    if (withdraw->pieces.empty()) {
      claims.erase(withdraw->peer);
    } else {
      claims[withdraw->peer].RemoveAll(*PieceMap::FromRanges(withdraw->pieces, pieces));
    }
  } else if (std::holds_alternative<tracker_api::Lookup>(request)) {
    tracker_api::Peers peers;
    peers.content = registered->content();
    peers.piece_count = pieces;
    peers.info_hashes = told_info_hashes;
    for (const auto& [address, claimed] : claims) peers.peers.push_back({address, claimed, claimed.all()});
    response.body = peers;
  } else if (std::holds_alternative<tracker_api::Fetch>(request)) {
    response.body = tracker_api::Fetched{*registered};
  }
  return response;
}

void SmallWorld::DoAsk(size_t index, NodeId to, const tracker_api::Ask& ask) {
  asked.emplace_back(to.value(), ask.request);
  const auto mode = tracker_mode.find(to.value());
  const TrackerMode how = mode == tracker_mode.end() ? TrackerMode::kUp : mode->second;
  if (how == TrackerMode::kSilent) return;
  Protocol::Message message;
  if (how == TrackerMode::kRefusing) {
    message = tracker_api::Unreachable{ask.id, "connection refused"};
  } else if (how == TrackerMode::kUnavailable) {
    tracker_api::Response response;
    response.outcome = tracker_api::Outcome::kUnavailable;
    response.reason = "no quorum";
    message = tracker_api::Answer{ask.id, response};
  } else {
    message = tracker_api::Answer{ask.id, Answer(ask.request)};
  }
  const ClientRunner* const runner = nodes_[index]->runner.get();
  Later(kLatency * 2, [this, index, to, runner, message = std::move(message)] {
    if (nodes_[index]->runner.get() == runner) Step(index, Received<Protocol>{to, message});
  });
}

void SmallWorld::RawConnect(RawPeer& raw, size_t node) {
  size_t r = 0;
  while (raws_[r].get() != &raw) ++r;
  const LinkId link(kInboundLink | next_inbound_++);
  raw.up = true;
  raw.closed = false;
  raw.received.clear();
  raw.link = link;
  raw.node = node;
  streams_.push_back({{{false, node, link}, {true, r, LinkId(0)}}});
  stream_of_[{node, link.value()}] = streams_.size() - 1;
  Step(node, LinkUp{link, raw.address});
}

void SmallWorld::RawSend(RawPeer& raw, std::string bytes) {
  const auto [s, end] = FindStream(raw.node, raw.link);
  if (s != SIZE_MAX && streams_[s].open) Transmit(s, 1 - end, std::move(bytes));
}

void SmallWorld::RawClose(RawPeer& raw) {
  const auto [s, end] = FindStream(raw.node, raw.link);
  raw.up = false;
  if (s != SIZE_MAX) CloseStream(s, 1 - end);
}

void SmallWorld::Ask(size_t node, Protocol::Request request) {
  Step(node, Call<Protocol>{CallId(++sequence_), std::move(request)});
}

bool SmallWorld::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Instant end = now_ + limit;
  for (const size_t index : std::exchange(to_start_, {})) {
    Run(index, [](ClientRunner& runner) { runner.Start({}, WriteSeq(0)); });
  }
  while (!done()) {
    Instant next = events_.empty() ? Instant::Never() : events_.begin()->first.first;
    for (const auto& node : nodes_) next = std::min(next, node->runner->timers().Next());
    if (next > end) {
      now_ = end;
      return false;
    }
    now_ = std::max(now_, next);
    if (!events_.empty() && events_.begin()->first.first <= now_) {
      auto action = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      action();
      continue;
    }
    for (size_t index = 0; index < nodes_.size(); ++index) {
      if (nodes_[index]->runner->timers().Next() > now_) continue;
      Run(index, [](ClientRunner& runner) { runner.FireDueTimers(); });
      break;
    }
  }
  return true;
}

}  // namespace bt::swarm::test
