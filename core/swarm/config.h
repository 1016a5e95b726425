#pragma once

// What a client is told before it starts, and the limits that bound everything it keeps. Plain values;
// whoever makes a client (nodes/, sim/scenarios, tests) fills them in.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/digest.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/sha1.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::swarm {

enum class Role : uint8_t {
  kOffer,     // has the file: proves it, claims it, serves it
  kDownload,  // fetches the file, claims and serves what it has verified meanwhile
};

// Hard bounds of the client's tables.
inline constexpr uint32_t kPeerLimit = 200;  // links at one time, both directions
inline constexpr uint32_t kPiecesInProgressLimit = 2048;
inline constexpr uint32_t kRequestsPerPeerLimit = 512;    // our requests to one peer in flight
inline constexpr uint64_t kLinkQueueHardLimit = 4 << 20;  // beyond: the peer does not read; cut

// A tracker that wants to be asked more rarely than this is not heeded.
inline constexpr Duration kToldIntervalMax = Seconds(3600);

// Bounds of tables and queues that a run can reach when they are small; the simulator draws them.
struct Limits {
  uint32_t given_addresses = 200;       // addresses to dial that the user has given
  uint32_t told_addresses = 1800;       // ... that trackers have told
  uint32_t exchanged_addresses = 200;   // ... that only peers have told (BEP 11)
  uint32_t bans = 4096;                 // banned addresses; beyond, the oldest is forgotten
  uint32_t waiting_requests = 512;      // a peer's to us, as told to it (BEP 10, reqq)
  uint64_t bytes_in_flight = 32 << 20;  // asked for or being stored, all peers together
  uint64_t link_queue_bytes = 1 << 20;  // block bytes queued on one link, at most (see Peer::queue_bytes)
};

// Times. Defaults suit a local network and the internet alike.
struct Timing {
  Duration ask_timeout = Seconds(3);           // then another node is asked; mutations are safe to repeat
  Duration first_contact_limit = Seconds(20);  // no tracker has ever answered for so long: give up
  Duration tracker_backoff_min = Milliseconds(200);
  Duration tracker_backoff_max = Seconds(15);
  Duration offer_gap = Milliseconds(250);   // between two offers of newly verified pieces
  Duration renew_interval = Seconds(300);   // a claim is offered anew at least this often
  Duration lookup_min = Milliseconds(100);  // between lookups while peers are few, doubling
  Duration lookup_few_max = Seconds(4);     // up to this
  Duration lookup_max = Seconds(30);        // and while they are enough
  Duration withdraw_limit = Seconds(2);     // how long a stopping client waits for its withdrawal
  Duration connect_timeout = Seconds(10);   // dial and handshake
  Duration snub_after = Seconds(5);         // no block for so long with requests out: snubbed
  Duration keepalive_after = Seconds(100);  // nothing sent for so long
  Duration idle_limit = Seconds(180);       // nothing received for so long
  Duration reconnect_min = Seconds(1);
  Duration reconnect_max = Seconds(60);
  Duration choke_interval = Seconds(10);
  Duration checkpoint_interval = Seconds(1);
  Duration web_seed_patience = Seconds(10);  // no wanted block from a peer: web servers are asked
  Duration exclusive_limit = Seconds(30);    // one peer's time for a piece it has to deliver alone
};

// What a magnet link says of a torrent: at least one of its info-hashes.
struct Magnet {
  std::optional<Sha1Digest> v1;
  std::optional<Sha256Digest> v2;
};

struct Config {
  Role role = Role::kDownload;
  // The torrent. An offer needs it; a download may have only `key` and fetches it from the trackers.
  std::optional<Metainfo> metainfo;
  std::optional<tracker_api::TorrentKey> key;
  // A download may also have only this: see metadata_fetch.h.
  std::optional<Magnet> magnet;
  // The form of the file `metainfo` was read from: peers are first met under its info-hash.
  std::optional<TorrentFormat> format;
  // The bytes of that file's info dictionary, if they are at hand: served to who has only its info-hash.
  Slice info;
  // Tell peers of each other and listen to what they tell (BEP 11). Never done for private torrents.
  bool peer_exchange = true;
  // Where this client listens, as claimed at the tracker; port 0: it does not, and claims nothing.
  Address listen;
  // How many trackers: NodeId(i) is the i-th of the torrent's list. 0: none (peers are only given below).
  uint32_t trackers = 0;
  // How many web servers have the files (BEP 19): NodeId(i) of a FetchRange is the i-th. Those beyond
  // kWebSeedsLimit are not asked.
  uint32_t web_seeds = 0;
  // Peers to dial beside what the trackers say.
  std::vector<Address> peers;
  // Offer without looking at the file: what is claimed and served is unproven. For test liars.
  bool skip_verify = false;
  // After a download: keep serving until Stop.
  bool keep_offering = false;
  // Of a download of a tree: the files to fetch, as patterns of paths (selection.h); none: all of them.
  std::vector<std::string> select;
  // A torrent the trackers do not know (yet) is asked for again instead of being an error.
  bool wait_for_registration = false;

  uint32_t connection_limit = 100;  // at most kPeerLimit
  uint32_t dial_limit = 50;         // of these, opened by us
  uint32_t upload_slots = 100;
  // Bytes of blocks a second, to and from all peers together; 0: as many as there are.
  uint64_t upload_limit = 0;
  uint64_t download_limit = 0;
  Limits limits;
  Timing timing;
};

}  // namespace bt::swarm
