#pragma once

// Torrent: one content and the file or files that hold it: which pieces are verified, on whose word, and what
// of it the disk has been told to keep. Invariant: a download's file is finished only when every piece was
// hashed, in this life, from the bytes that lie in the file. Emits file effects; for the client's engine and
// its parts.

#include <optional>
#include <vector>

#include "core/machine/machine.h"
#include "core/swarm/config.h"
#include "core/swarm/file_check.h"
#include "core/swarm/info_hashes.h"
#include "core/swarm/protocol.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

class Torrent {
 public:
  Torrent(Metainfo metainfo, const Config& config);
  Torrent(const Torrent&) = delete;  // the check keeps the metainfo's address
  Torrent& operator=(const Torrent&) = delete;

  const Metainfo& metainfo() const { return metainfo_; }
  const InfoHashes& info_hashes() const { return info_hashes_; }
  void ToldInfoHashes(const std::vector<InfoHash>& hashes) { info_hashes_.Told(hashes); }
  const PieceMap& verified() const { return verified_; }
  uint64_t bytes_verified() const { return bytes_verified_; }

  // --- the file ---

  void Open(FileMode mode, Context<Protocol>& context);
  void OpenFailed() { open_ = false; }
  void Close(Context<Protocol>& context);
  void Finish(Context<Protocol>& context);

  // --- which pieces are there ---

  // Takes the host's last checkpoint at its word. False if it is not one of this torrent.
  bool Resume(const Slice& checkpoint);
  void TakeAllForVerified();
  // Has the bytes of these pieces hashed; `both`: against SHA-1 too.
  void Check(const PieceMap& pieces, bool both, Context<Protocol>& context);
  void CheckUnproven(Context<Protocol>& context);
  // What a completed range has decided. A good piece counts as proven.
  std::vector<FileCheck::Verdict> Hashed(const RangeHashed& hashed, Context<Protocol>& context);
  bool checked() const { return !check_ || check_->idle(); }
  // Both true if that changed anything.
  bool Add(PieceIndex piece);
  bool Lose(PieceIndex piece);
  // Nothing is left that only a checkpoint vouches for, and nothing is missing.
  bool proven() const { return verified_.all() && unproven_.none(); }

  // --- checkpoints: at most one per checkpoint_interval, and only while there is something new to keep ---

  void ProgressMade(Context<Protocol>& context);
  void SaveProgress(Context<Protocol>& context);
  void Checkpointed(Instant now);
  // What storage has refused once is not written to again.
  void KeepNothingMore() { unsaved_ = false; }
  bool unsaved() const { return unsaved_; }
  bool saving() const { return saving_; }

 private:
  const Metainfo metainfo_;
  InfoHashes info_hashes_;
  const Duration checkpoint_interval_;
  PieceMap verified_;
  uint64_t bytes_verified_ = 0;
  // Of the verified pieces those that only the last checkpoint vouches for: they are claimed and served
  // meanwhile.
  PieceMap unproven_;
  std::optional<FileCheck> check_;
  bool open_ = false;  // or being opened
  bool unsaved_ = false;
  bool saving_ = false;
  Instant last_saved_{};
};

}  // namespace bt::swarm
