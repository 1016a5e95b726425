#include "sim/check/swarm_integrity.h"

#include <absl/strings/str_format.h>

#include <algorithm>

namespace bt::sim {

void SwarmIntegrity::OnServed(const std::string& who, uint64_t offset, std::string_view bytes) {
  if (offset + bytes.size() <= content_.size() && content_.view().substr(offset, bytes.size()) == bytes)
    return;
  if (Altered(who, static_cast<uint32_t>(offset / metainfo_.piece_length))) return;
  world_.Fail(absl::StrFormat(
      "swarm integrity: %s, which is honest, serves %d bytes at %d that are not the content's", who,
      bytes.size(), offset));
}

void SwarmIntegrity::OnVerified(const std::string& who, uint32_t piece, std::string_view bytes) {
  if (const auto altered = altered_.find(who); altered != altered_.end()) altered->second.erase(piece);
  const uint64_t offset = uint64_t{piece} * metainfo_.piece_length;
  if (const auto shared = shared_[who].extract(piece); !shared.empty())
    exposed_[who].push_back(shared.mapped());
  if (content_.view().substr(offset, metainfo_.piece_size(piece)) == bytes) return;
  world_.Fail(absl::StrFormat(
      "swarm integrity: %s takes piece %d for verified, and its file does not have it", who, piece));
}

void SwarmIntegrity::OnResumed(const std::string& who, uint32_t piece, std::string_view bytes) {
  const bool good = content_.view().substr(uint64_t{piece} * metainfo_.piece_length, bytes.size()) == bytes;
  // What a crash has left is durable: a piece that is right now was fetched anew, and stays right.
  if (good) ever_altered_[who].erase(piece);
  if (good || !Altered(who, piece)) OnVerified(who, piece, bytes);
}

void SwarmIntegrity::OnUnusable(const std::string& who, uint32_t piece, const std::string& why) {
  const auto damaged = damaged_.find(who);
  if (damaged != damaged_.end() && damaged->second.contains(piece)) return;
  if (!Altered(who, piece)) OnFailed(who, "its own good file is called unusable: " + why);
}

void SwarmIntegrity::OnAltered(const std::string& who, const Address& address, uint64_t offset) {
  deceived_.insert(address.ip);
  const uint32_t piece = static_cast<uint32_t>(offset / metainfo_.piece_length);
  ever_altered_[who].insert(piece);
  altered_[who].insert(piece);
}

bool SwarmIntegrity::Altered(const std::string& who, uint32_t piece) const {
  const auto found = altered_.find(who);
  return found != altered_.end() && found->second.contains(piece);
}

void SwarmIntegrity::OnFinished(const std::string& who, const PagedBytes& file) {
  if (file.size() == content_.size() && file.Holds(0, content_)) return;
  world_.Fail(absl::StrFormat("swarm integrity: %s has finished a file that is not the content", who));
}

void SwarmIntegrity::OnSelectionFinished(const std::string& who, const absl::btree_set<size_t>& placed,
                                         const absl::btree_set<size_t>& ever,
                                         const absl::btree_set<size_t>& selected, const PagedBytes& bytes) {
  const auto fail = [&](size_t file, const char* what) {
    world_.Fail(absl::StrFormat("selection: %s has finished, and %s %s", who,
                                metainfo_.tree.files()[file].Path(), what));
  };
  for (const size_t file : selected) {
    if (!placed.contains(file)) fail(file, "has not its final name");
  }
  for (const size_t file : placed) {
    if (!ever.contains(file)) fail(file, "has its final name and was never selected");
    const uint64_t offset = metainfo_.tree.first_piece(file) * metainfo_.piece_length;
    const uint64_t length = metainfo_.tree.files()[file].length;
    if (length == 0) continue;
    if (!bytes.Holds(offset, content_.Sub(offset, length))) fail(file, "is not the content's");
  }
}

void SwarmIntegrity::OnRejected(const std::string& who, uint32_t piece, const std::vector<Address>& peers) {
  const auto honest = [&](const Address& peer) { return Honest(peer); };
  if (std::all_of(peers.begin(), peers.end(), honest)) {
    return world_.Fail(absl::StrFormat(
        "swarm integrity: %s rejects piece %d although only honest peers sent it", who, piece));
  }
  if (peers.size() == 1) {
    proven_[who].insert(peers[0].ip);
  } else if (!Altered(who, piece)) {
    absl::btree_set<Ip>& group = shared_[who][piece];
    group.clear();
    for (const Address& peer : peers) group.insert(peer.ip);
  }
}

void SwarmIntegrity::OnBanned(const std::string& who, const Address& peer) {
  ++bans_;
  banned_[who].insert(peer.ip);
  if (Honest(peer)) {
    world_.Fail(absl::StrFormat("blame: %s bans %s, which is honest", who, peer.ToString()));
  }
}

void SwarmIntegrity::OnFailed(const std::string& who, const std::string& reason) {
  world_.Fail(absl::StrFormat("liveness: %s, which is honest, gives up: %s", who, reason));
}

void SwarmIntegrity::OnStart(const std::string& who) {
  proven_.erase(who);
  banned_.erase(who);
  shared_.erase(who);
  exposed_.erase(who);
  // A crash may have lost the good bytes that had come in their place.
  altered_[who] = ever_altered_[who];
}

void SwarmIntegrity::Judge() {
  for (const auto& [who, liars] : proven_) {
    for (const Ip& liar : liars) {
      if (banned_[who].contains(liar)) continue;
      Address address;
      address.ip = liar;
      world_.Fail(
          absl::StrFormat("blame: %s has proof against %s and has not banned it", who, address.ToString()));
    }
  }
  for (const auto& [who, groups] : exposed_) {
    const absl::btree_set<Ip>& banned = banned_[who];
    for (const absl::btree_set<Ip>& group : groups) {
      if (std::any_of(group.begin(), group.end(), [&](const Ip& ip) { return banned.contains(ip); }))
        continue;
      world_.Fail(
          absl::StrFormat("blame: a piece failed at %s with blocks of %d peers and has passed since, and "
                          "none of them is banned",
                          who, group.size()));
    }
  }
}

}  // namespace bt::sim
