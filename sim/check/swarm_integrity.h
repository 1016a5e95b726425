#pragma once

// SwarmIntegrity: what must hold among peers whoever lies: nothing is served, verified or finished that is
// not the content; a rejected piece has a liar among its senders; nobody honest is banned; a liar whose
// bytes alone made a piece fail is; no honest client gives up. Peers are told apart by IP. A client whose
// file was changed by others between two of its lives may serve those pieces and be banned for it, until it
// has fetched them anew; under the final name they are the content's all the same.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/slice.h"
#include "core/torrent/metainfo.h"
#include "sim/paged_bytes.h"
#include "sim/world.h"

namespace bt::sim {

class SwarmIntegrity {
 public:
  SwarmIntegrity(World& world, Metainfo metainfo, Slice content)
      : world_(world), metainfo_(std::move(metainfo)), content_(std::move(content)) {}

  void AddHonest(const Address& address) {
    honest_.insert(address.ip);
    listeners_.insert(address);
  }
  void AddLiar(const Address& address) { liars_.insert(address.ip); }

  void OnServed(const std::string& who, uint64_t offset, std::string_view bytes);
  void OnVerified(const std::string& who, uint32_t piece, std::string_view bytes);
  void OnResumed(const std::string& who, uint32_t piece, std::string_view bytes);
  void OnUnusable(const std::string& who, uint32_t piece, const std::string& why);
  // The byte at `offset` of its part file is not what it was in its last life.
  void OnAltered(const std::string& who, const Address& address, uint64_t offset);
  // The piece of the file it offers is not the content's, or cannot be read: it has to notice.
  // It has been told that its file was changed: from now on nothing is served of what it does not hold.
  void OnNoticed(const std::string& who) { altered_.erase(who); }
  void OnDamaged(const std::string& who, uint32_t piece) { damaged_[who].insert(piece); }
  void OnWholeFile(const std::string& who) { damaged_.erase(who); }
  void OnFinished(const std::string& who, const PagedBytes& file);
  // The same of files of a tree: `placed` have their final names, of which `ever` were selected at some time
  // and `selected` are so now. `bytes`: where they lie in the content.
  void OnSelectionFinished(const std::string& who, const absl::btree_set<size_t>& placed,
                           const absl::btree_set<size_t>& ever, const absl::btree_set<size_t>& selected,
                           const PagedBytes& bytes);
  void OnRejected(const std::string& who, uint32_t piece, const std::vector<Address>& peers);
  void OnBanned(const std::string& who, const Address& peer);
  void OnFailed(const std::string& who, const std::string& reason);
  // The client starts anew and remembers nobody.
  void OnStart(const std::string& who);
  // Every liar proven to somebody in its present life has been banned by it.
  void Judge();

  const Metainfo& metainfo() const { return metainfo_; }
  const Slice& content() const { return content_; }
  uint64_t bans() const { return bans_; }
  // Its own file was changed: others may have banned it for what it served.
  bool Deceived(const Address& peer) const { return deceived_.contains(peer.ip); }

 private:
  using Ip = std::array<uint8_t, 16>;

  World& world_;
  Metainfo metainfo_;
  Slice content_;
  bool Altered(const std::string& who, uint32_t piece) const;
  // The port of an accepted connection does not tell who of those that share an IP address has opened it.
  bool Honest(const Address& peer) const {
    if (deceived_.contains(peer.ip)) return false;
    return listeners_.contains(peer) || (honest_.contains(peer.ip) && !liars_.contains(peer.ip));
  }

  absl::btree_set<Ip> honest_;
  absl::btree_set<Ip> liars_;
  absl::btree_set<Address> listeners_;  // where honest clients accept connections
  absl::btree_set<Ip> deceived_;        // by their own files
  // By client, its pieces that others have changed: those whose good bytes may not be durable yet, and of
  // these the ones it has not fetched anew in this life.
  absl::btree_map<std::string, absl::btree_set<uint32_t>> ever_altered_;
  absl::btree_map<std::string, absl::btree_set<uint32_t>> altered_;
  absl::btree_map<std::string, absl::btree_set<uint32_t>> damaged_;
  absl::btree_map<std::string, absl::btree_set<Ip>> proven_;
  // By client, and in its present life: who sent the blocks of a piece that failed, the last time that
  // several did; and of those pieces that have passed since, the groups with a liar among them.
  absl::btree_map<std::string, absl::btree_map<uint32_t, absl::btree_set<Ip>>> shared_;
  absl::btree_map<std::string, std::vector<absl::btree_set<Ip>>> exposed_;
  absl::btree_map<std::string, absl::btree_set<Ip>> banned_;
  uint64_t bans_ = 0;
};

}  // namespace bt::sim
