// WireConduct's part for links: whom a client dials, how often, and which of its links it keeps.

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "sim/scenarios/wire_conduct.h"

namespace bt::sim {
namespace {

// By a hybrid's v1 hash, and those of the torrents of one version alone (InfoHashes).
constexpr uint32_t kDialledHashes = 3;

// All who have the file of a hybrid know its v1 hash.
InfoHash HashOf(const Metainfo& metainfo, TorrentFormat format) {
  if (format == TorrentFormat::kV2) return CutToInfoHash(metainfo.InfoHashV2(format));
  return metainfo.InfoHashV1(format);
}

}  // namespace

// --- what happens ---

void WireConduct::OnStart(const swarm::Config& config) {
  limits_ = config.limits;
  slots_ = config.upload_slots;
  limited_ = config.upload_limit != 0;
  links_max_ = config.connection_limit;
  dials_max_ = config.dial_limit;
  first_hash_.reset();
  if (config.format) first_hash_ = HashOf(metainfo_, *config.format);
  dialled_.clear();
  parted_.clear();
  tried_.clear();
  refusals_.clear();
  refused_.clear();
  banned_.clear();
  bytes_sent_ = 0;
  talks_.clear();
  touched_.clear();
  arrived_.clear();
  asked_for_.clear();
  slots_touched_ = false;
  verified_ = PieceMap(metainfo_.piece_count());
  lost_ = PieceMap(metainfo_.piece_count());
}

void WireConduct::OnInput(const LinkUp& up) {
  Conversation talk;
  talk.address = talk.listens = up.peer;
  talk.dialled = dialled_.contains(up.link);
  if (!talk.dialled) talk.listens.port = 0;
  talk.theirs = talk.ours = PieceMap(metainfo_.piece_count());
  talks_.insert_or_assign(up.link, std::move(talk));
  slots_touched_ = true;
}

void WireConduct::OnInput(const LinkDown& down) {
  const auto talk = talks_.find(down.link);
  if (talk != talks_.end()) Refused(talk->second);
  Forget(down.link);
}

// Who took a link and hung up on the handshake need not know the content by the info-hash in it.
void WireConduct::Refused(const Conversation& talk) {
  const auto refusals = refusals_.find(talk.address);
  if (!talk.dialled || talk.greeted || refusals == refusals_.end()) return;
  if (++refusals->second < kDialledHashes) {
    refused_.push_back(talk.address);
  } else {
    refusals_.erase(refusals);
  }
}

void WireConduct::Forget(LinkId link) {
  dialled_.erase(link);
  slots_touched_ = true;
  const auto found = talks_.find(link);
  if (found == talks_.end()) return;
  parted_.push_back(found->second.listens);
  talks_.erase(found);
}

// It has lost patience with a handshake: that is no word on the info-hash, and the next try is another
// matter.
void WireConduct::Close(LinkId link) {
  const auto talk = talks_.find(link);
  if (talk != talks_.end() && talk->second.dialled && !talk->second.greeted)
    refusals_.erase(talk->second.address);
  Forget(link);
}

void WireConduct::Dial(const LinkConnect& connect) {
  for (const auto& [link, address] : dialled_) {
    if (address == connect.peer) Fail("dials twice at once: " + address.ToString());
  }
  dialled_.emplace(connect.link, connect.peer);
  std::erase(refused_, connect.peer);
  slots_touched_ = true;
}

void WireConduct::Greeted(Conversation& talk, const swarm::wire::Handshake& handshake) {
  talk.greeted = talk.newcomer = true;
  talk.fast = handshake.fast;
  talk.id = handshake.peer_id;
  if (talk.dialled) refusals_[talk.address] = 0;
}

// Peers know a content by the file they hold, and most hold the one that everybody has.
void WireConduct::Spoke(Conversation& talk, const swarm::wire::Handshake& handshake) {
  talk.spoken = true;
  if (!talk.dialled || !tried_.insert(talk.address).second || !first_hash_) return;
  if (handshake.info_hash != *first_hash_)
    Fail("dials under another info-hash first than that of its torrent's file");
}

uint32_t WireConduct::connected() const {
  uint32_t connected = 0;
  for (const auto& [link, talk] : talks_) connected += talk.ready() ? 1 : 0;
  return connected;
}

size_t WireConduct::links() const {
  size_t links = dialled_.size();
  for (const auto& [link, talk] : talks_) links += talk.dialled ? 0 : 1;
  return links;
}

// --- what is judged ---

void WireConduct::JudgeDials() const {
  if (dialled_.size() <= dials_max_ && links() <= links_max_) return;
  world_.Fail(absl::StrFormat("conduct: %s has %d links, %d of its own, and may have %d and %d", name_,
                              links(), dialled_.size(), links_max_, dials_max_));
}

// Who dials and is dialled at once has two links to one peer, and keeps one: on both, the peer would count
// twice in every share, and twice among those that have a piece.
void WireConduct::JudgeTwins(LinkId link, const Conversation& talk) {
  if (!talk.ready()) return;
  for (const auto& [other_link, other] : talks_) {
    if (other_link == link || !other.ready() || other.id != talk.id) continue;
    if (other.address.ip != talk.address.ip) continue;
    return Fail("keeps two links to the peer at " + other.address.ToString());
  }
}

// A peer knows a content by some of its info-hashes, and by others once it has another torrent of it: who has
// answered before, and hangs up on the handshake now, is tried with all of them without a pause. Nothing is
// said of who has no room for one more link, nor of an offer, which forgets those it cannot reach.
void WireConduct::JudgeTries(bool downloads) {
  for (const Address& address : std::exchange(refused_, {})) {
    if (!downloads || !metainfo_.Has(TorrentFormat::kHybrid) || banned_.contains(address)) continue;
    if (dialled_.size() >= dials_max_ || links() >= links_max_) continue;
    const bool there = std::any_of(talks_.begin(), talks_.end(),
                                   [&](const auto& entry) { return entry.second.listens == address; });
    if (!there) Fail("does not try the next info-hash at once with " + address.ToString());
  }
}

}  // namespace bt::sim
