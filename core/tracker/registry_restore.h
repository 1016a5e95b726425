#pragma once

// RegistryRestore: a registry from the plain state of another: its rows; what is counted (in Torrent) and
// listed (in NameBinding) of them is filled in, and the indexes are made anew, a row at a time: a step does
// as many as it has room for. Equal digest, and equal answers from there on. The state comes from a disk or
// from another node, so what it holds is checked and never trusted to be free of contradictions. Used by
// StateBuilder alone.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/tracker/registry.h"
#include "core/tracker/registry_state.h"
#include "core/tracker/step_work.h"

namespace bt::tracker {

class RegistryRestore {
 public:
  // Of a row that is indexed: as much as of a short command that is applied.
  static constexpr uint64_t kRow = StepWork::kCommand;

  explicit RegistryRestore(RegistryState state);

  // Goes on while there is room. kDataLoss says what in the state contradicts what; nothing comes of it then.
  absl::Status Go(StepWork& work);
  bool done() const { return part_ == Part::kDone; }
  // Once it is done.
  Registry Take() && { return std::move(*registry_); }

 private:
  enum class Part : uint8_t {
    kTorrents,    // and their claims
    kNames,       // a name's digest waits for its foreign info-hashes
    kRegistered,  // whose share the torrents count to
    kInfoHashes,
    kListed,  // info-hashes of torrents that have others than their first name gives
    kForeign,
    kDigests,
    kBound,
    kDone
  };

  // One row, or on to the next part.
  absl::Status Next();
  absl::Status TorrentOrClaim();
  absl::Status Name();
  absl::Status Registered();
  absl::Status InfoHashRow();
  absl::Status Listed();
  absl::Status Foreign();
  absl::Status NameDigest();
  absl::Status Bound();
  void Begin(Part part);
  bool NoTorrentIsLeft(Part next);

  RegistryState& state() { return registry_->state_; }

  std::unique_ptr<Registry> registry_;  // stays where it is, as the places in it do
  Part part_ = Part::kTorrents;
  // Where it stands within the part.
  size_t torrent_ = 0;
  bool in_claims_ = false;  // of torrent_, which is indexed
  uint32_t row_ = 0;
  absl::btree_map<std::string, NameBinding>::iterator name_;        // at most one place
  absl::btree_map<InfoHash, InfoHashBinding>::iterator info_hash_;  // likewise, at most one
  absl::btree_map<uint64_t, InfoHash> foreign_;  // by running number; one for each of info_hashes
  absl::btree_set<TorrentNumber> several_;       // that have foreign ones; at most one for each torrent
};

}  // namespace bt::tracker
