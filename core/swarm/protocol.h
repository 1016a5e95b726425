#pragma once

// The client machine's Protocol: what it says to trackers, what its user may ask of it, and the events it
// reports. Peer connections are link effects and inputs; the content file is FileId(0).

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/swarm/file_effects.h"
#include "core/torrent/content_id.h"
#include "core/torrent/piece_map.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::swarm {

inline constexpr FileId kContentFile = FileId(0);

// --- requests by the local user ---

// Withdraw the claim, save progress, close everything. Answered by Stopped when done.
struct Stop {};
struct GetProgress {};
// Other limits of bytes a second than the configuration's, from now on; 0: none. Answered by Progress.
struct SetLimits {
  uint64_t upload = 0;
  uint64_t download = 0;
};

// --- to web servers that have the files (BEP 19) ---

// `length` bytes of the `file`-th file of the tree, or of the only one, from `offset` on; at most
// kWebRangeBytes, and one at a time to each server. NodeId says which server of those the client was
// told of.
struct FetchRange {
  uint64_t id = 0;
  uint32_t file = 0;
  uint64_t offset = 0;
  uint32_t length = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("file", self.file);
    visit("offset", self.offset);
    visit("length", self.length);
  }
  friend bool operator==(const FetchRange&, const FetchRange&) = default;
};
// Its answer: the bytes, or why there are none.
struct RangeFetched {
  uint64_t id = 0;
  std::string why;
  Slice bytes;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("why", self.why);
    visit("bytes", self.bytes);
  }
  friend bool operator==(const RangeFetched&, const RangeFetched&) = default;
};

// --- responses ---

// Pieces, length and bytes_verified are of what is selected.
struct Progress {
  uint32_t pieces = 0;           // to be had; 0 while the torrent is not known yet
  uint32_t pieces_verified = 0;  // held and proven
  uint32_t pieces_rejected = 0;  // times a piece failed its hash
  uint64_t length = 0;
  uint64_t bytes_verified = 0;
  uint64_t bytes_held = 0;       // verified, also of files that are not selected
  uint64_t bytes_received = 0;   // block bytes from peers, also such as were not needed
  uint64_t bytes_from_web = 0;   // from web servers
  uint64_t bytes_wasted = 0;     // of these: duplicates, rejected pieces
  uint64_t bytes_sent = 0;       // block bytes queued to peers
  uint32_t peers_connected = 0;  // past the handshake
  uint32_t peers_known = 0;
  uint32_t peers_banned = 0;
  uint64_t protocol_errors = 0;  // peers cut off for breaking the wire protocol
  uint64_t messages_ignored = 0;
  bool tracker_answered = false;  // any tracker, ever

  friend bool operator==(const Progress&, const Progress&) = default;
};

// --- notes ---

// The torrent is known (given, or fetched from a tracker and checked against its key).
struct TorrentKnown {
  ContentId content;
  std::string name;
  // Of a tree of which files were selected: how many, of how many, and their bytes; else zeros.
  uint32_t files_selected = 0;
  uint32_t files = 0;
  uint64_t bytes_selected = 0;
};
// The file is open and what it already holds is proven: `verified` of `pieces`, of what is selected.
struct FileReady {
  uint32_t verified = 0;
  uint32_t pieces = 0;
};
// A piece of the offered file does not have the torrent's hash, or could not be read: it is not offered.
struct PieceUnusable {
  PieceIndex piece;
  std::string why;
};
struct PieceVerified {
  PieceIndex piece;
};
// A downloaded piece failed its hash; `peers` sent its blocks.
struct PieceRejected {
  PieceIndex piece;
  std::vector<Address> peers;
};
struct PeerConnected {
  Address peer;
  bool inbound = false;
};
struct PeerDisconnected {
  Address peer;
  std::string why;
};
// Proven: this peer sent bytes that are not the content's.
struct PeerBanned {
  Address peer;
  std::string reason;
  // Where an inbound peer said it listens; port 0: it is `peer`, or the peer has not said. Its word alone.
  Address listens;
};
// A tracker has acknowledged that this client has `pieces` pieces of `total`.
struct Offered {
  uint32_t pieces = 0;
  uint32_t total = 0;
};
struct Withdrawn {
  uint32_t pieces = 0;  // still claimed
};
struct TrackerTrouble {
  NodeId tracker;
  std::string why;
};
// An offered file was changed under the client: so many pieces are neither claimed nor served until they are
// hashed anew. `why`: nothing can be read of it at all; else empty.
struct OfferChanged {
  uint32_t pieces = 0;
  std::string why;
};
// A web server did not answer as it should.
struct WebSeedTrouble {
  enum class Verdict : uint8_t {
    kAskedAgain,
    kGivenUp,  // it has answered wrongly too often
    kLied,     // its bytes are proven wrong: given up as well
  };
  uint32_t seed = 0;
  std::string why;
  Verdict verdict = Verdict::kAskedAgain;
};
struct PeersFound {
  uint32_t peers = 0;
};
// Every piece of what is selected is verified, synced and under its final name.
struct DownloadComplete {
  ContentId content;
};
// Why a client cannot go on, as far as its host tells the cases apart.
enum class FailureCause : uint8_t {
  kOther,
  kNotFound,   // the trackers know no such torrent
  kNoTracker,  // no tracker has ever answered
};
// It cannot go on; `reason` is one line for people. Stopped follows.
struct Failed {
  std::string reason;
  FailureCause cause = FailureCause::kOther;
};
// The last event of a client's life: nothing more will happen.
struct Stopped {};
// An Inquiry's last word.
struct InquiryDone {
  // kUnavailable with a reason when no tracker answered in time.
  tracker_api::Response response;
};

struct Protocol {
  using Message =
      std::variant<tracker_api::Ask, tracker_api::Answer, tracker_api::Unreachable, FetchRange, RangeFetched>;
  enum class Timer : uint8_t {
    kTracker,     // ask timeouts, retries, renewals, lookups
    kPeers,       // the earliest deadline of any peer session
    kDial,        // the earliest address to dial again
    kChoke,       // choking is reconsidered
    kCheckpoint,  // progress is due to be made durable
    kStop,        // a stopping client waits no longer
    kWebSeeds,    // web servers are asked, or late
    kCount
  };
  using FileEffect = swarm::FileEffect;
  using FileDone = swarm::FileDone;
  using Request = std::variant<Stop, GetProgress, SetLimits>;
  using Response = std::variant<Stopped, Progress>;
  using Note =
      std::variant<TorrentKnown, FileReady, PieceUnusable, PieceVerified, PieceRejected, PeerConnected,
                   PeerDisconnected, PeerBanned, Offered, Withdrawn, TrackerTrouble, OfferChanged,
                   WebSeedTrouble, PeersFound, DownloadComplete, Failed, Stopped, InquiryDone>;
};

}  // namespace bt::swarm
