#pragma once

// MetadataFetch: the time of a download before its torrent is known: from a magnet link's info-hashes to a
// metainfo. It asks the trackers for the torrent itself; if none of them has it, it asks peers, those the
// link names and those the trackers know, for the info dictionary (BEP 9) and for the piece layers beside it
// (BEP 52). Invariants: what it hands on hashes to what the link says; one dictionary at a time is put
// together, and a peer whose bytes alone make up one that hashes to something else is banned. A machine
// within the client's, which goes on with what it has found.

#include <absl/container/btree_map.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/machine/machine.h"
#include "core/swarm/address_book.h"
#include "core/swarm/config.h"
#include "core/swarm/metadata_assembly.h"
#include "core/swarm/protocol.h"
#include "core/swarm/wire.h"

namespace bt::swarm {

// An info-hash a peer may be met under, and whether hashes may be asked for there.
struct DialHash {
  InfoHash hash{};
  bool v2 = false;
};

struct MetadataPeer {
  enum class State : uint8_t { kConnecting, kHandshaking, kReady };
  Address address;
  State state = State::kConnecting;
  DialHash dialled;
  wire::Decoder decoder;
  uint8_t metadata_id = 0;
  uint32_t size = 0;  // of the info dictionary, by its word
  bool busy = false;  // owes a part
  Instant deadline{};
};

struct MetadataTracker {
  uint64_t ask = 0;         // outstanding; 0: none
  bool announcing = false;  // the ask, outstanding or next, is for peers; else for the torrent
  bool settled = false;     // it has been asked for both
  uint32_t denials = 0;     // times it has said that it does not know the torrent
  Instant due{};            // of the next ask, or of this one's failure
  Duration gap = Seconds(1);
};

class MetadataFetch {
 public:
  using Ctx = Context<Protocol>;

  struct Found {
    Metainfo metainfo;
    std::optional<TorrentFormat> format;  // none: as a tracker has it
    Slice info;                           // empty then
    // At most told_addresses, and what the other sources may name.
    std::vector<Address> peers;  // everybody it has heard of, without proven liars
  };

  static constexpr uint32_t kLinks = 20;
  static constexpr uint64_t kFirstLink = uint64_t{1}
                                         << 31;  // its links' ids, and its asks': not the engine's

  explicit MetadataFetch(const Config& config);

  void Step(const Input<Protocol>& input, Ctx& context);
  // Once, when it is over; then every link of it is closed and every timer disarmed.
  std::optional<Found> Take();
  bool stopped() const { return stopped_; }
  Progress progress() const;
  bool IsBanned(const Address& peer) const { return book_.banned(peer); }
  void CheckInvariants() const;
  uint64_t Digest() const;

 private:
  using Peer = MetadataPeer;

  static constexpr uint32_t kDenials = 2;  // of each tracker, then the torrent is not there

  void Handle(const Input<Protocol>& input, Ctx& context);
  void Start(Ctx& context);
  void Stop(Ctx& context);
  void Fail(std::string reason, FailureCause cause, Ctx& context);
  void Finish(Found found, Ctx& context);
  void CloseEverything(Ctx& context);
  void EndOfStep(Ctx& context);

  // --- trackers ---
  void Received(NodeId from, const Protocol::Message& message, Ctx& context);
  void Settle(MetadataTracker& tracker, Ctx& context);
  void Hear(const Address& peer, AddressBook::Source source);
  void PollTrackers(Ctx& context);
  void Ask(uint32_t index, Ctx& context);
  bool TrackersSettled() const;
  void GiveUpIfAlone(Ctx& context);

  // --- peers ---
  void Dial(Ctx& context);
  void Up(LinkId link, Ctx& context);
  void Bytes(LinkId link, const Slice& bytes, Ctx& context);
  void Greet(LinkId link, Peer& peer, const wire::Handshake& handshake, Ctx& context);
  void OnMessage(LinkId link, Peer& peer, const wire::Message& message, Ctx& context);
  void OnMetadata(LinkId link, Peer& peer, const wire::Metadata& message, Ctx& context);
  void OnHashes(LinkId link, Peer& peer, const wire::Hashes& hashes, Ctx& context);
  // Ended by us, or gone by itself. `fault`: it has not done what it should.
  void Close(LinkId link, bool fault, Ctx& context);
  void Gone(LinkId link, bool fault, Ctx& context);
  void Convict(const Address& peer, const char* why, Ctx& context);
  void Send(LinkId link, const wire::Message& message, Ctx& context);
  void PeerTimers(Ctx& context);

  // --- putting together ---
  bool Eligible(LinkId link, const Peer& peer) const;
  void ChooseAttempt(Ctx& context);
  void Request(Ctx& context);
  void InfoComplete(Ctx& context);
  void LayersComplete(Ctx& context);
  void Conclude(const std::string& piece_layers, Ctx& context);

  const Config config_;
  wire::PeerId self_id_{};
  bool stopped_ = false;
  bool over_ = false;
  std::optional<Found> found_;
  std::vector<DialHash> hashes_;  // in the order a peer is tried with them; at most 4
  const InfoHash asked_;          // of the trackers

  std::vector<MetadataTracker> trackers_;  // the torrent's, at most kTrackerCountLimit
  uint64_t ask_id_ = kFirstLink;
  bool answered_ = false;
  std::string trouble_;  // at most one sentence
  Instant give_up_at_{};

  AddressBook book_;
  std::vector<Address> heard_;  // at most Limits::given_addresses
  uint64_t next_link_ = kFirstLink;
  absl::btree_map<LinkId, Peer> peers_;  // at most kLinks

  // The attempt: pieces of a dictionary of that size, of everybody who has told this size, or of one peer
  // alone once several together have made up a wrong one.
  std::optional<InfoAssembly> attempt_;
  bool alone_mode_ = false;
  LinkId alone_;
  uint32_t last_size_ = 0;
  Instant attempt_until_{};
  Duration patience_;
  // One for each of parts_.
  absl::btree_map<LinkId, Address> senders_;  // of the attempt's pieces, also of those that are gone

  std::string info_;  // proven; empty: not there yet; at most kTorrentFileLimit
  std::optional<LayerAssembly> layers_;
};

}  // namespace bt::swarm
