#pragma once

// Torrent: one content and the file or files that hold it: which pieces are verified, on whose word, and what
// of it the disk has been told to keep. Invariant: a download's file is finished only when every piece that
// is selected was hashed, in this life, from the bytes that lie in the file. Emits file effects; for the
// client's engine and its parts.

#include <optional>
#include <vector>

#include "core/machine/machine.h"
#include "core/swarm/config.h"
#include "core/swarm/file_check.h"
#include "core/swarm/info_hashes.h"
#include "core/swarm/protocol.h"
#include "core/swarm/selection.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"

namespace bt::swarm {

class Torrent {
 public:
  // `selection` is of `metainfo`.
  Torrent(Metainfo metainfo, Selection selection, const Config& config);
  Torrent(const Torrent&) = delete;  // the check keeps the metainfo's address
  Torrent& operator=(const Torrent&) = delete;

  const Metainfo& metainfo() const { return metainfo_; }
  const InfoHashes& info_hashes() const { return info_hashes_; }
  void ToldInfoHashes(const std::vector<InfoHash>& hashes) { info_hashes_.Told(hashes); }
  const PieceMap& verified() const { return verified_; }
  // Of these the ones that only the last checkpoint vouches for.
  const PieceMap& unproven() const { return unproven_; }
  const Selection& selection() const { return selection_; }
  // Of everything, and of what is selected.
  uint64_t bytes_verified() const { return bytes_verified_; }
  uint64_t selected_bytes_verified() const { return selected_bytes_verified_; }
  uint32_t selected_pieces_verified() const { return selected_pieces_verified_; }
  // Selected, and not there.
  bool Needs(PieceIndex piece) const { return selection_.Has(piece) && !verified_.Has(piece); }
  uint32_t needed() const { return selection_.pieces() - selected_pieces_verified_; }

  // --- the file ---

  void Open(FileMode mode, Context<Protocol>& context);
  void OpenFailed() { open_ = false; }
  void Close(Context<Protocol>& context);
  void Finish(Context<Protocol>& context);

  // --- which pieces are there ---

  // A download's file is open. Takes the last checkpoint at its word about the files it was made of. What is
  // to be hashed before anything is fetched: of what is selected the files that are in place, and those that
  // were there while no checkpoint speaks of them.
  PieceMap Opened(const FileOpened& opened);
  // The piece is of a file that was under its final name when a download found it.
  bool InPlace(PieceIndex piece) const;
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
  // Of what is selected nothing is left that only a checkpoint vouches for, and nothing is missing.
  bool proven() const { return needed() == 0 && selected_unproven_ == 0; }

  // --- checkpoints: at most one per checkpoint_interval, and only while there is something new to keep ---

  void ProgressMade(Context<Protocol>& context);
  void SaveProgress(Context<Protocol>& context);
  // A piece that only the checkpoint vouched for, and wrongly. Until another one is durable it must not be
  // written to: a crash would leave that word about bytes that are anybody's. False: it was not verified.
  bool TakeBack(PieceIndex piece, Context<Protocol>& context);
  // Of the selected pieces those that may not be written to yet.
  uint32_t held_back() const;
  // The pieces that no checkpoint vouches for any more, if this one is durable.
  std::vector<PieceIndex> Checkpointed(Context<Protocol>& context);
  // What storage has refused once is not written to again.
  void KeepNothingMore() { unsaved_ = false; }
  bool unsaved() const { return unsaved_; }
  bool saving() const { return saving_; }

 private:
  bool Resume(const Slice& checkpoint);
  PartFound FoundOf(PieceIndex piece) const;
  void Prove(PieceIndex piece);

  const Metainfo metainfo_;
  const Selection selection_;
  InfoHashes info_hashes_;
  const Duration checkpoint_interval_;
  PieceMap verified_;
  uint64_t bytes_verified_ = 0;
  uint64_t selected_bytes_verified_ = 0;
  uint32_t selected_pieces_verified_ = 0;
  // Of the verified pieces those that only the last checkpoint vouches for: they are claimed and served
  // meanwhile.
  PieceMap unproven_;
  uint32_t selected_unproven_ = 0;
  // One for each file.
  std::vector<PartFound> found_;  // by file of the tree, when a download was opened; empty: all kStarted
  std::optional<FileCheck> check_;
  // Likewise one for each piece at most: those that the checkpoint under way takes back, and the next one.
  std::vector<PieceIndex> leaving_;
  std::vector<PieceIndex> taken_back_;
  bool open_ = false;  // or being opened
  bool unsaved_ = false;
  bool saving_ = false;
  Instant last_saved_{};
};

}  // namespace bt::swarm
