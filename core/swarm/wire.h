#pragma once

// The BitTorrent peer wire as bytes: handshake and messages of BEP 3, 6 (fast), 10 (extension
// handshake) with 9 (info dictionaries) and 11 (peer exchange), and 52 (hash messages). Pure codec; what a
// message means is the engine's business.
// The decoder takes any cut of the stream. A frame that lies within one received slice is referenced,
// not copied; one that straddles slices is copied once. What it holds back is at most one frame.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/torrent/content_id.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm::wire {

inline constexpr size_t kHandshakeSize = 68;
inline constexpr uint32_t kPieceFrameLimit = kBlockSize + 9;  // the frame of a piece message
inline constexpr uint32_t kFrameLimit = 1 << 20;              // of any other
inline constexpr uint32_t kExtendedLimit = 64 << 10;          // of an extension message (BEP 10)
inline constexpr size_t kBlockHeaderSize = 13;
inline constexpr uint32_t kMetadataPiece = 16 << 10;  // bytes of an info dictionary per message (BEP 9)
inline constexpr size_t kExchangeLimit = 50;          // addresses in each list of a peer exchange (BEP 11)
// The ids under which we understand these extension messages. A peer has ids of its own for them.
inline constexpr uint8_t kPeerExchangeId = 1;
inline constexpr uint8_t kMetadataId = 2;

using PeerId = std::array<uint8_t, 20>;

struct Handshake {
  InfoHash info_hash{};
  PeerId peer_id{};
  bool fast = false;      // BEP 6: reserved [7] & 0x04
  bool extended = false;  // BEP 10: reserved [5] & 0x10
  bool v2 = false;        // BEP 52: reserved [7] & 0x10

  friend bool operator==(const Handshake&, const Handshake&) = default;
};

// A part of a piece, as requests, rejects and cancels name it.
struct BlockSpan {
  PieceIndex piece;
  uint32_t offset = 0;
  uint32_t length = 0;

  friend bool operator==(const BlockSpan&, const BlockSpan&) = default;
};

struct KeepAlive {
  friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};
struct Choke {
  friend bool operator==(const Choke&, const Choke&) = default;
};
struct Unchoke {
  friend bool operator==(const Unchoke&, const Unchoke&) = default;
};
struct Interested {
  friend bool operator==(const Interested&, const Interested&) = default;
};
struct NotInterested {
  friend bool operator==(const NotInterested&, const NotInterested&) = default;
};
struct Have {
  PieceIndex piece;
  friend bool operator==(const Have&, const Have&) = default;
};
struct Bitfield {
  Slice bits;
  friend bool operator==(const Bitfield&, const Bitfield&) = default;
};
struct Request {
  BlockSpan block;
  friend bool operator==(const Request&, const Request&) = default;
};
struct Piece {
  PieceIndex piece;
  uint32_t offset = 0;
  Slice bytes;
  friend bool operator==(const Piece&, const Piece&) = default;
};
struct Cancel {
  BlockSpan block;
  friend bool operator==(const Cancel&, const Cancel&) = default;
};
// BEP 6: a piece the sender would like us to ask it for.
struct Suggest {
  PieceIndex piece;
  friend bool operator==(const Suggest&, const Suggest&) = default;
};
struct HaveAll {
  friend bool operator==(const HaveAll&, const HaveAll&) = default;
};
struct HaveNone {
  friend bool operator==(const HaveNone&, const HaveNone&) = default;
};
struct Reject {
  BlockSpan block;
  friend bool operator==(const Reject&, const Reject&) = default;
};
// Extension message 0, the handshake. Absent members were not sent.
struct ExtendedHandshake {
  std::optional<uint32_t> reqq;  // requests it lets wait
  std::optional<uint16_t> port;  // where it listens
  std::string client;            // "v", cut to 64 bytes
  std::string your_ip;           // 4 or 16 bytes
  uint32_t metadata_size = 0;    // bytes of the info dictionary it can serve; 0: not said
  // The ids under which it takes these messages; 0: it does not.
  uint8_t peer_exchange_id = 0;
  uint8_t metadata_id = 0;
  friend bool operator==(const ExtendedHandshake&, const ExtendedHandshake&) = default;
};
// BEP 9 (ut_metadata): pieces of the info dictionary. `id` is the receiver's for it.
struct Metadata {
  enum class Kind : uint8_t { kRequest, kData, kReject, kOther };  // kOther: to be ignored
  uint8_t id = kMetadataId;
  Kind kind = Kind::kRequest;
  uint32_t piece = 0;
  uint32_t total_size = 0;  // of kData: bytes of the whole dictionary
  Slice bytes;              // of kData
  friend bool operator==(const Metadata&, const Metadata&) = default;
};
// BEP 11 (ut_pex): with whom the sender is connected, as what has changed since it last said so. Of received
// ones at most kExchangeLimit addresses of each list are kept.
struct PeerExchange {
  struct Added {
    Address peer;
    bool complete = false;  // flag 0x02: it has everything
    friend bool operator==(const Added&, const Added&) = default;
  };
  uint8_t id = kPeerExchangeId;
  std::vector<Added> added;
  std::vector<Address> dropped;
  friend bool operator==(const PeerExchange&, const PeerExchange&) = default;
};
// BEP 52: hash request and hash reject have one form.
struct HashSpan {
  Sha256Digest pieces_root{};
  uint32_t base_layer = 0;
  uint32_t index = 0;
  uint32_t length = 0;
  uint32_t proof_layers = 0;
  friend bool operator==(const HashSpan&, const HashSpan&) = default;
};
struct HashRequest {
  HashSpan span;
  friend bool operator==(const HashRequest&, const HashRequest&) = default;
};
struct Hashes {
  HashSpan span;
  Slice hashes;  // 32 bytes each: those of the span, then the proof's
  friend bool operator==(const Hashes&, const Hashes&) = default;
};
struct HashReject {
  HashSpan span;
  friend bool operator==(const HashReject&, const HashReject&) = default;
};
// A message this client has no use for: allowed fast, port, other extensions, unknown ids.
struct Ignored {
  uint8_t id = 0;
  friend bool operator==(const Ignored&, const Ignored&) = default;
};

using Message = std::variant<KeepAlive, Choke, Unchoke, Interested, NotInterested, Have, Bitfield, Request,
                             Piece, Cancel, HaveAll, HaveNone, Reject, ExtendedHandshake, Metadata,
                             PeerExchange, HashRequest, Hashes, HashReject, Suggest, Ignored>;

std::string EncodeHandshake(const Handshake& handshake);
// Appends the message's frame. An Ignored encodes as an empty message of that id.
void Append(const Message& message, std::string& out);
// The frame of a piece message up to its payload of `length` bytes (13 bytes).
std::string BlockHeader(PieceIndex piece, uint32_t offset, uint32_t length);

class Decoder {
 public:
  enum class Result : uint8_t { kMessage, kNeedMore, kError };

  // The next received bytes. Only after Next has said kNeedMore (everything fed before is used up).
  void Feed(Slice bytes);
  // First exactly one handshake, then messages. kError is final; error() says what was wrong.
  Result NextHandshake(Handshake& handshake);
  Result Next(Message& message);

  const char* error() const { return error_; }
  // Bytes held back for the rest of a frame.
  size_t buffered() const { return carry_.size(); }

 private:
  // All of the next `size` bytes as one slice, or nothing yet.
  std::optional<Slice> Take(size_t size);
  void KeepFrom(size_t offset);
  Result Fail(const char* error);

  Slice fed_;  // not used yet
  // At most kFrameLimit, and before the handshake kPieceFrameLimit.
  std::string carry_;  // the start of a frame that straddles slices
  const char* error_ = nullptr;
};

}  // namespace bt::swarm::wire
