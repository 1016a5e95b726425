#include "core/swarm/wire.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/swarm/wire_extensions.h"

namespace bt::swarm::wire {
namespace {

constexpr std::string_view kProtocolName =
    "\x13"
    "BitTorrent protocol";

enum Id : uint8_t {
  kChoke = 0,
  kUnchoke = 1,
  kInterested = 2,
  kNotInterested = 3,
  kHave = 4,
  kBitfield = 5,
  kRequest = 6,
  kPiece = 7,
  kCancel = 8,
  kSuggest = 13,
  kHaveAll = 14,
  kHaveNone = 15,
  kReject = 16,
  kExtended = kExtendedId,
  kHashRequest = 21,
  kHashes = 22,
  kHashReject = 23,
};

void Put32(std::string& out, uint32_t value) { AppendBig(out, value, 4); }

uint32_t Get32(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(LoadBig(bytes.data() + at, 4));
}

void PutFrame(std::string& out, uint8_t id, uint32_t payload) {
  Put32(out, payload + 1);
  out.push_back(static_cast<char>(id));
}

void PutSpan(std::string& out, uint8_t id, const BlockSpan& block) {
  PutFrame(out, id, 12);
  Put32(out, block.piece.value());
  Put32(out, block.offset);
  Put32(out, block.length);
}

BlockSpan GetSpan(std::string_view body) {
  return {PieceIndex(Get32(body, 0)), Get32(body, 4), Get32(body, 8)};
}

constexpr size_t kHashSpanSize = 32 + 16;

void PutHashSpan(std::string& out, uint8_t id, const HashSpan& span, uint32_t more = 0) {
  PutFrame(out, id, kHashSpanSize + more);
  out.append(BytesOf(span.pieces_root));
  Put32(out, span.base_layer);
  Put32(out, span.index);
  Put32(out, span.length);
  Put32(out, span.proof_layers);
}

HashSpan GetHashSpan(std::string_view body) {
  HashSpan span;
  std::memcpy(span.pieces_root.data(), body.data(), 32);
  span.base_layer = Get32(body, 32);
  span.index = Get32(body, 36);
  span.length = Get32(body, 40);
  span.proof_layers = Get32(body, 44);
  return span;
}

void PutExtended(std::string& out, uint8_t id, std::string_view dictionary, std::string_view bytes) {
  PutFrame(out, kExtended, static_cast<uint32_t>(1 + dictionary.size() + bytes.size()));
  out.push_back(static_cast<char>(id));
  out.append(dictionary);
  out.append(bytes);
}

struct Appender {
  std::string& out;

  void operator()(const KeepAlive&) { Put32(out, 0); }
  void operator()(const Choke&) { PutFrame(out, kChoke, 0); }
  void operator()(const Unchoke&) { PutFrame(out, kUnchoke, 0); }
  void operator()(const Interested&) { PutFrame(out, kInterested, 0); }
  void operator()(const NotInterested&) { PutFrame(out, kNotInterested, 0); }
  void operator()(const Have& have) {
    PutFrame(out, kHave, 4);
    Put32(out, have.piece.value());
  }
  void operator()(const Bitfield& bitfield) {
    PutFrame(out, kBitfield, static_cast<uint32_t>(bitfield.bits.size()));
    out.append(bitfield.bits.view());
  }
  void operator()(const Request& request) { PutSpan(out, kRequest, request.block); }
  void operator()(const Piece& piece) {
    out.append(BlockHeader(piece.piece, piece.offset, static_cast<uint32_t>(piece.bytes.size())));
    out.append(piece.bytes.view());
  }
  void operator()(const Cancel& cancel) { PutSpan(out, kCancel, cancel.block); }
  void operator()(const Suggest& suggest) {
    PutFrame(out, kSuggest, 4);
    Put32(out, suggest.piece.value());
  }
  void operator()(const HaveAll&) { PutFrame(out, kHaveAll, 0); }
  void operator()(const HaveNone&) { PutFrame(out, kHaveNone, 0); }
  void operator()(const Reject& reject) { PutSpan(out, kReject, reject.block); }
  void operator()(const ExtendedHandshake& handshake) { PutExtended(out, 0, ExtensionText(handshake), {}); }
  void operator()(const Metadata& metadata) {
    PutExtended(out, metadata.id, ExtensionText(metadata), metadata.bytes.view());
  }
  void operator()(const PeerExchange& exchange) {
    PutExtended(out, exchange.id, ExtensionText(exchange), {});
  }
  void operator()(const HashRequest& request) { PutHashSpan(out, kHashRequest, request.span); }
  void operator()(const Hashes& hashes) {
    PutHashSpan(out, kHashes, hashes.span, static_cast<uint32_t>(hashes.hashes.size()));
    out.append(hashes.hashes.view());
  }
  void operator()(const HashReject& reject) { PutHashSpan(out, kHashReject, reject.span); }
  void operator()(const Ignored& ignored) { PutFrame(out, ignored.id, 0); }
};

// The three messages of BEP 52 about hashes; nullptr or what is wrong.
const char* ParseHashes(uint8_t id, const Slice& payload, Message& message) {
  const std::string_view body = payload.view();
  if (id == kHashes) {
    if (body.size() < kHashSpanSize || (body.size() - kHashSpanSize) % 32 != 0) {
      return "hashes of wrong length";
    }
    message = Hashes{GetHashSpan(body), payload.From(kHashSpanSize)};
    return nullptr;
  }
  if (body.size() != kHashSpanSize) {
    return id == kHashRequest ? "hash request of wrong length" : "hash reject of wrong length";
  }
  if (id == kHashRequest) {
    message = HashRequest{GetHashSpan(body)};
  } else {
    message = HashReject{GetHashSpan(body)};
  }
  return nullptr;
}

// One message from the frame's body (without its length); nullptr or what is wrong.
const char* Parse(const Slice& frame, Message& message) {
  const uint8_t id = static_cast<uint8_t>(frame.view()[0]);
  const std::string_view body = frame.view().substr(1);
  const auto sized = [&](size_t size) { return body.size() == size; };
  switch (id) {
    case kChoke:
      message = Choke{};
      return sized(0) ? nullptr : "choke of wrong length";
    case kUnchoke:
      message = Unchoke{};
      return sized(0) ? nullptr : "unchoke of wrong length";
    case kInterested:
      message = Interested{};
      return sized(0) ? nullptr : "interested of wrong length";
    case kNotInterested:
      message = NotInterested{};
      return sized(0) ? nullptr : "not-interested of wrong length";
    case kHave:
      if (!sized(4)) return "have of wrong length";
      message = Have{PieceIndex(Get32(body, 0))};
      return nullptr;
    case kSuggest:
      if (!sized(4)) return "suggest of wrong length";
      message = Suggest{PieceIndex(Get32(body, 0))};
      return nullptr;
    case kBitfield:
      message = Bitfield{frame.From(1)};
      return nullptr;
    case kRequest:
      if (!sized(12)) return "request of wrong length";
      message = Request{GetSpan(body)};
      return nullptr;
    case kPiece:
      if (body.size() < 9) return "piece message without a payload";
      message = Piece{PieceIndex(Get32(body, 0)), Get32(body, 4), frame.From(9)};
      return nullptr;
    case kCancel:
      if (!sized(12)) return "cancel of wrong length";
      message = Cancel{GetSpan(body)};
      return nullptr;
    case kHaveAll:
      message = HaveAll{};
      return sized(0) ? nullptr : "have-all of wrong length";
    case kHaveNone:
      message = HaveNone{};
      return sized(0) ? nullptr : "have-none of wrong length";
    case kReject:
      if (!sized(12)) return "reject of wrong length";
      message = Reject{GetSpan(body)};
      return nullptr;
    case kExtended:
      return ParseExtension(frame.From(1), message);
    case kHashRequest:
    case kHashes:
    case kHashReject:
      return ParseHashes(id, frame.From(1), message);
    default:
      message = Ignored{id};
      return nullptr;
  }
}

}  // namespace

std::string EncodeHandshake(const Handshake& handshake) {
  std::string out(kProtocolName);
  char reserved[8] = {};
  if (handshake.extended) reserved[5] |= 0x10;
  if (handshake.fast) reserved[7] |= 0x04;
  if (handshake.v2) reserved[7] |= 0x10;
  out.append(reserved, sizeof(reserved));
  out.append(BytesOf(handshake.info_hash));
  out.append(BytesOf(handshake.peer_id));
  return out;
}

void Append(const Message& message, std::string& out) { std::visit(Appender{out}, message); }

std::string BlockHeader(PieceIndex piece, uint32_t offset, uint32_t length) {
  std::string header;
  header.reserve(kBlockHeaderSize);
  PutFrame(header, kPiece, 8 + length);
  Put32(header, piece.value());
  Put32(header, offset);
  return header;
}

void Decoder::Feed(Slice bytes) {
  CHECK(fed_.empty());
  fed_ = std::move(bytes);
}

Decoder::Result Decoder::Fail(const char* error) {
  error_ = error;
  fed_ = Slice();
  carry_.clear();
  return Result::kError;
}

// An empty remainder must not keep the host's receive buffer alive.
void Decoder::KeepFrom(size_t offset) { fed_ = offset == fed_.size() ? Slice() : fed_.From(offset); }

std::optional<Slice> Decoder::Take(size_t size) {
  if (carry_.empty()) {
    if (fed_.size() >= size) {
      Slice taken = fed_.Sub(0, size);
      KeepFrom(size);
      return taken;
    }
    // Only a frame known to be small is reserved for: a claimed length alone moves no memory.
    carry_.reserve(std::min<size_t>(size, kPieceFrameLimit + 4));
  }
  CHECK(carry_.size() < size);
  const size_t part = std::min(size - carry_.size(), fed_.size());
  carry_.append(fed_.view().substr(0, part));
  KeepFrom(part);
  if (carry_.size() < size) return std::nullopt;
  Slice taken = Slice::Own(std::move(carry_));
  carry_ = std::string();
  return taken;
}

Decoder::Result Decoder::NextHandshake(Handshake& handshake) {
  if (error_ != nullptr) return Result::kError;
  // Refuse what is not BitTorrent at its first wrong byte, not after 68.
  std::string start = carry_.substr(0, kProtocolName.size());
  start.append(fed_.view().substr(0, kProtocolName.size() - start.size()));
  if (start != kProtocolName.substr(0, start.size())) return Fail("not the BitTorrent protocol");
  const std::optional<Slice> bytes = Take(kHandshakeSize);
  if (!bytes) return Result::kNeedMore;
  const std::string_view view = bytes->view();
  handshake.extended = (view[20 + 5] & 0x10) != 0;
  handshake.fast = (view[20 + 7] & 0x04) != 0;
  handshake.v2 = (view[20 + 7] & 0x10) != 0;
  std::memcpy(handshake.info_hash.data(), view.data() + 28, 20);
  std::memcpy(handshake.peer_id.data(), view.data() + 48, 20);
  return Result::kMessage;
}

Decoder::Result Decoder::Next(Message& message) {
  if (error_ != nullptr) return Result::kError;
  // The frame's length, and the id when it is there: known before its bytes are gathered.
  char head[5];
  const size_t from_carry = std::min<size_t>(carry_.size(), sizeof(head));
  const size_t from_fed = std::min<size_t>(fed_.size(), sizeof(head) - from_carry);
  std::memcpy(head, carry_.data(), from_carry);
  std::memcpy(head + from_carry, fed_.data(), from_fed);
  const size_t known = from_carry + from_fed;
  if (known < 4) {
    carry_.append(fed_.view());
    fed_ = Slice();
    return Result::kNeedMore;
  }
  const uint32_t length = Get32({head, 4}, 0);
  if (length > kFrameLimit) return Fail("frame over the limit");
  if (length > 0 && known == sizeof(head)) {
    const uint8_t id = static_cast<uint8_t>(head[4]);
    if (id == kPiece && length > kPieceFrameLimit) return Fail("block over 16 KiB");
    if (id == kExtended && length > kExtendedLimit) return Fail("extension message over the limit");
  }
  const std::optional<Slice> frame = Take(4 + size_t{length});
  if (!frame) return Result::kNeedMore;
  if (length == 0) {
    message = KeepAlive{};
    return Result::kMessage;
  }
  const char* error = Parse(frame->From(4), message);
  return error == nullptr ? Result::kMessage : Fail(error);
}

}  // namespace bt::swarm::wire
