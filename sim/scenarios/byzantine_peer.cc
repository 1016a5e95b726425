#include "sim/scenarios/byzantine_peer.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>
#include <vector>

namespace bt::sim {

namespace wire = swarm::wire;

namespace {

constexpr size_t kDripBytes = 600;
constexpr uint64_t kDialsMax = 40;

}  // namespace

ByzantinePeer::ByzantinePeer(World& world, Network& network, Streams& streams, TrackerCluster& cluster,
                             const SwarmIntegrity& truth, Address address, Vice vice,
                             std::vector<Address> peers)
    : world_(world),
      network_(network),
      streams_(streams),
      cluster_(cluster),
      truth_(truth),
      address_(address),
      vice_(vice),
      index_(network.Attach(this)),
      rng_(world.Stream("byzantine peer", index_)),
      peers_(std::move(peers)),
      dials_(rng_.Chance(1, 2)),
      session_(rng_.Next() | 1) {
  streams_.Attach(index_, this, address_);
  moods_ = world.Stream("moods", index_);
  if (!moods_->Chance(1, 4)) moods_.reset();
}

void ByzantinePeer::Begin() {
  streams_.SetUp(index_, vice_ != Vice::kFalseClaim);
  world_.After(rng_.Between(Milliseconds(1), Seconds(2)), this, kClaimEvent);
  if (dials_ && vice_ != Vice::kFalseClaim)
    world_.After(rng_.Between(Milliseconds(1), Seconds(3)), this, kDialEvent);
}

void ByzantinePeer::Dial() {
  if (++next_link_ > kDialsMax) return;
  streams_.Connect(index_, LinkId(next_link_), peers_[rng_.Below(peers_.size())]);
  world_.After(rng_.Between(Milliseconds(500), Seconds(4)), this, kDialEvent);
}

// Until a tracker has taken it: the torrent may not be registered yet.
void ByzantinePeer::Claim() {
  if (claimed_) return;
  const auto& targets = cluster_.targets();
  const uint32_t target = targets[rng_.Below(targets.size())];
  tracker_api::Offer offer{{session_, 1}, truth_.metainfo().content(), address_, {}};
  offer.pieces.push_back({PieceIndex(0), truth_.metainfo().piece_count()});
  // One outstanding mutation, one sequence: a refusal (not found) is final for it, so ask under the next.
  offer.id.sequence = ++asks_;
  network_.Send(index_, target, Slice::Own(Encode(EdgeMessage(tracker_api::Ask{asks_, std::move(offer)}))));
  world_.After(rng_.Between(Milliseconds(300), Seconds(2)), this, kClaimEvent);
}

void ByzantinePeer::Deliver(uint32_t, const Slice& bytes) {
  const absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
  if (!message.ok()) return;
  const auto* answer = std::get_if<tracker_api::Answer>(&*message);
  if (answer == nullptr || answer->response.outcome != tracker_api::Outcome::kOk) return;
  if (!claimed_ && vice_ == Vice::kFalseClaim) world_.Count(Fault::kFalseClaim);
  claimed_ = true;
}

void ByzantinePeer::StreamUp(LinkId link, const Address&) {
  Visitor& visitor = visitors_[link];
  if (vice_ == Vice::kMute) world_.Count(Fault::kMutePeer);
  if ((link.value() & kInboundLink) != 0 || vice_ == Vice::kMute) return;
  const std::vector<InfoHash> hashes = truth_.metainfo().AllInfoHashes();
  visitor.done = !SendHandshake(link, visitor, hashes[rng_.Below(hashes.size())], true);
}

void ByzantinePeer::StreamDown(LinkId link, const std::string&) { visitors_.erase(link); }

bool ByzantinePeer::HangsUp(LinkId link, Visitor& visitor) {
  if (!moods_ || !moods_->Chance(1, 2)) return false;
  visitor.done = true;
  streams_.Close(index_, link, false);
  return true;
}

void ByzantinePeer::Send(LinkId link, const wire::Message& message) {
  std::string bytes;
  wire::Append(message, bytes);
  streams_.SendBytes(index_, link, Slice::Own(std::move(bytes)));
}

void ByzantinePeer::StreamBytes(LinkId link, const Slice& bytes) {
  world_.Observe(index_, 100, HashBytes(bytes.view(), link.value()));
  streams_.Consumed(index_, link, bytes.size());
  const auto found = visitors_.find(link);
  if (found == visitors_.end() || found->second.done) return;
  Visitor& visitor = found->second;
  visitor.decoder.Feed(bytes);
  if (!visitor.greeted) {
    wire::Handshake theirs;
    const wire::Decoder::Result result = visitor.decoder.NextHandshake(theirs);
    if (result == wire::Decoder::Result::kError) visitor.done = true;
    if (result != wire::Decoder::Result::kMessage) return;
    Greet(link, visitor, theirs);
  }
  wire::Message message;
  while (!visitor.done) {
    const wire::Decoder::Result result = visitor.decoder.Next(message);
    if (result == wire::Decoder::Result::kError) visitor.done = true;
    if (result != wire::Decoder::Result::kMessage) return;
    OnMessage(link, visitor, message);
  }
}

bool ByzantinePeer::SendHandshake(LinkId link, Visitor& visitor, const InfoHash& info_hash, bool fast) {
  visitor.greeting_sent = true;
  wire::Handshake ours;
  ours.info_hash = info_hash;
  ours.fast = fast;
  ours.extended = vice_ == Vice::kFalseWords;
  for (uint8_t& byte : ours.peer_id) byte = static_cast<uint8_t>(rng_.Below(256));
  if (vice_ != Vice::kBadHandshake) {
    streams_.SendBytes(index_, link, Slice::Own(wire::EncodeHandshake(ours)));
    return true;
  }
  world_.Count(Fault::kBadHandshake);
  if (rng_.Chance(1, 3)) ours.info_hash[rng_.Below(ours.info_hash.size())] ^= 1;
  std::string bytes = wire::EncodeHandshake(ours);
  if (ours.info_hash == info_hash && rng_.Chance(1, 2)) {
    bytes[rng_.Below(20)] ^= 1;  // in the name of the protocol, or its length
  } else if (ours.info_hash == info_hash) {
    bytes.resize(rng_.Below(bytes.size()));
  }
  streams_.SendBytes(index_, link, Slice::Own(std::move(bytes)));
  return false;
}

void ByzantinePeer::Greet(LinkId link, Visitor& visitor, const wire::Handshake& theirs) {
  visitor.greeted = true;
  if (vice_ == Vice::kMute) return;
  if (!visitor.greeting_sent && has_greeted_ && HangsUp(link, visitor))
    return world_.Count(Fault::kBadHandshake);
  has_greeted_ = true;
  if (!visitor.greeting_sent && !SendHandshake(link, visitor, theirs.info_hash, theirs.fast)) {
    visitor.done = true;
    return;
  }
  if (vice_ == Vice::kGarbageFrames && rng_.Chance(1, 2)) return SendGarbage(link);
  if (vice_ == Vice::kOversized && rng_.Chance(1, 2)) return SendOversized(link);
  const uint32_t pieces = truth_.metainfo().piece_count();
  if (theirs.fast) {
    Send(link, wire::HaveAll{});
  } else {
    Send(link, wire::Bitfield{Slice::Own(PieceMap::All(pieces).ToBitfield())});
  }
  Send(link, wire::Unchoke{});
  if (vice_ == Vice::kFalseWords) SendWords(link);
}

void ByzantinePeer::OnMessage(LinkId link, Visitor& visitor, const wire::Message& message) {
  if (const auto* request = std::get_if<wire::Request>(&message)) {
    OnRequest(link, visitor, request->block);
  } else if (std::holds_alternative<wire::Interested>(message)) {
    Send(link, wire::Unchoke{});
  } else if (vice_ == Vice::kFalseWords) {
    AnswerFalsely(link, message);
  }
}

Slice ByzantinePeer::Truth(const wire::BlockSpan& block) const {
  const uint64_t offset = uint64_t{block.piece.value()} * truth_.metainfo().piece_length + block.offset;
  if (offset + block.length > truth_.content().size()) return {};
  return truth_.content().Sub(offset, block.length);
}

void ByzantinePeer::OnRequest(LinkId link, Visitor& visitor, const wire::BlockSpan& block) {
  Slice bytes = Truth(block);
  if (bytes.empty() || HangsUp(link, visitor)) return;
  switch (vice_) {
    case Vice::kLyingBitfield:
      world_.Count(Fault::kLyingBitfield);
      Send(link, wire::Reject{block});
      return;
    case Vice::kServesNothing:
      world_.Count(Fault::kServesNothing);
      return;
    case Vice::kWrongBytes:
      if (rng_.Chance(1, 3)) {
        world_.Count(Fault::kWrongBytes);
        std::string wrong(bytes.view());
        wrong[rng_.Below(wrong.size())] ^= static_cast<char>(1 << rng_.Below(8));
        bytes = Slice::Own(std::move(wrong));
      }
      return Send(link, wire::Piece{block.piece, block.offset, bytes});
    case Vice::kWrongLength:
      world_.Count(Fault::kWrongLength);
      if (rng_.Chance(1, 3)) {
        return Send(link, wire::Piece{block.piece,
                                      block.offset + static_cast<uint32_t>(rng_.Between(1, 40'000)), bytes});
      }
      return Send(link, wire::Piece{block.piece, block.offset, bytes.Sub(0, rng_.Below(bytes.size()))});
    case Vice::kGarbageFrames:
      return SendGarbage(link);
    case Vice::kSlowDrip: {
      world_.Count(Fault::kSlowDrip);
      std::string frame;
      wire::Append(wire::Piece{block.piece, block.offset, bytes}, frame);
      const Slice whole = Slice::Own(std::move(frame));
      if (visitor.drip.empty()) world_.After(Milliseconds(200), this, link.value());
      for (size_t at = 0; at < whole.size(); at += kDripBytes) {
        visitor.drip.push_back(whole.Sub(at, std::min(kDripBytes, whole.size() - at)));
      }
      return;
    }
    case Vice::kOversized:
      return SendOversized(link);
    case Vice::kUnasked:
      return SendUnasked(link);
    case Vice::kFalseWords:
      if (rng_.Chance(1, 4)) SendWords(link);
      return Send(link, wire::Piece{block.piece, block.offset, bytes});
    case Vice::kFalseClaim:
    case Vice::kMute:
    case Vice::kBadHandshake:
    case Vice::kCount:
      return;
  }
}

// A length that no message has, and then more bytes than anybody should keep.
void ByzantinePeer::SendOversized(LinkId link) {
  world_.Count(Fault::kOversizedFrame);
  const uint32_t lengths[] = {wire::kFrameLimit + 1, UINT32_MAX, wire::kPieceFrameLimit + 1};
  const size_t which = rng_.Below(std::size(lengths));
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(lengths[which] >> shift));
  bytes.push_back(which == 2 ? 7 : static_cast<char>(rng_.Below(32)));  // 7: a piece message
  bytes.resize(rng_.Chance(1, 2) ? bytes.size() : 2 * wire::kFrameLimit, 'z');
  streams_.SendBytes(index_, link, Slice::Own(std::move(bytes)));
}

void ByzantinePeer::SendUnasked(LinkId link) {
  world_.Count(Fault::kUnaskedBlock);
  const Metainfo& metainfo = truth_.metainfo();
  const PieceIndex piece(static_cast<uint32_t>(rng_.Below(metainfo.piece_count())));
  const uint32_t length = std::min(kBlockSize, metainfo.piece_size(piece.value()));
  switch (rng_.Below(4)) {
    case 0:
      return Send(link,
                  wire::Have{PieceIndex(metainfo.piece_count() + static_cast<uint32_t>(rng_.Below(9)))});
    case 1:
      return Send(link, wire::Request{{piece, metainfo.piece_size(piece.value()), 1}});
    case 2:
      for (int i = 0; i < 700; ++i) Send(link, wire::Request{{piece, 0, length}});
      return;
    default:
      for (int i = 0; i < 8; ++i) Send(link, wire::Piece{piece, 0, Truth({piece, 0, length})});
      return;
  }
}

// What it says it has of the info dictionary, and whom it says it is connected with.
void ByzantinePeer::SendWords(LinkId link) {
  world_.Count(Fault::kFalseWords);
  const size_t right = truth_.metainfo().InfoBytes(TorrentFormat::kHybrid).size();
  const uint64_t sizes[] = {right, right, 1, right + rng_.Below(40'000), kTorrentFileLimit, UINT32_MAX};
  wire::ExtendedHandshake extended;
  extended.metadata_id = wire::kMetadataId;
  extended.metadata_size = static_cast<uint32_t>(sizes[rng_.Below(std::size(sizes))]);
  Send(link, extended);
  for (uint64_t i = rng_.Between(1, 4); i > 0; --i) {
    wire::PeerExchange exchange;
    for (uint64_t j = rng_.Between(1, 2 * wire::kExchangeLimit); j > 0; --j) {
      const auto low = static_cast<uint8_t>(rng_.Below(256));
      exchange.added.push_back({Address::V4(10, 9, static_cast<uint8_t>(rng_.Below(256)), low, 6881), true});
    }
    Send(link, exchange);
  }
}

void ByzantinePeer::AnswerFalsely(LinkId link, const wire::Message& message) {
  if (const auto* request = std::get_if<wire::Metadata>(&message)) {
    world_.Count(Fault::kFalseWords);
    std::string info = truth_.metainfo().InfoBytes(TorrentFormat::kHybrid);
    info[rng_.Below(info.size())] ^= static_cast<char>(rng_.Chance(1, 4) ? 0 : 1);
    wire::Metadata answer;
    answer.kind = rng_.Chance(1, 8) ? wire::Metadata::Kind::kReject : wire::Metadata::Kind::kData;
    answer.piece = request->piece;
    answer.total_size = static_cast<uint32_t>(info.size());
    const size_t from = std::min(info.size(), size_t{request->piece} * wire::kMetadataPiece);
    answer.bytes = Slice::Own(info.substr(from, wire::kMetadataPiece));
    if (answer.kind == wire::Metadata::Kind::kReject) answer.bytes = {};
    Send(link, answer);
  } else if (const auto* hashes = std::get_if<wire::HashRequest>(&message)) {
    world_.Count(Fault::kFalseWords);
    std::string bytes(32 * rng_.Below(hashes->span.length + 4), static_cast<char>(rng_.Below(256)));
    Send(link, wire::Hashes{hashes->span, Slice::Own(std::move(bytes))});
  }
}

void ByzantinePeer::SendGarbage(LinkId link) {
  world_.Count(Fault::kGarbageFrames);
  std::string bytes(rng_.Between(1, 3000), '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng_.Below(256));
  streams_.SendBytes(index_, link, Slice::Own(std::move(bytes)));
}

void ByzantinePeer::Fire(uint64_t argument) {
  if (argument == kClaimEvent) return Claim();
  if (argument == kDialEvent) return Dial();
  const auto found = visitors_.find(LinkId(argument));
  if (found == visitors_.end() || found->second.drip.empty()) return;
  streams_.SendBytes(index_, found->first, found->second.drip.front());
  found->second.drip.pop_front();
  if (!found->second.drip.empty()) world_.After(Milliseconds(200), this, argument);
}

}  // namespace bt::sim
