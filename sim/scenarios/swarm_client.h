#pragma once

// A client of the simulated swarm: what it is told when it starts, what lies on its disk before, and what the
// judges hear of it. SwarmWorld draws the plans and owns the hosts.

#include <absl/container/btree_set.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/swarm/client.h"
#include "core/swarm/inquiry.h"
#include "sim/host.h"
#include "sim/scenarios/content_disk.h"
#include "sim/scenarios/wire_conduct.h"

namespace bt::sim {

class SwarmWorld;

// What a download finds where its part file will be.
enum class PartFile : uint8_t {
  kNone,
  kBytesAlone,      // of an earlier program: some pieces, no word about which
  kOwnState,        // some pieces, and which
  kForeignContent,  // the word is another content's
  kForeignPieces,   // ... or of this content cut into other pieces
  kGarbage,         // ... or no word at all
  kCount,
};

struct ClientPlan {
  std::string name;
  Address address;
  bool honest = true;
  bool downloads = false;
  bool by_key = false;      // knows only the content id
  bool other_name = false;  // has the torrent that is registered under the content's second name
  // Knows only the info-hashes, and the trackers never answer it when it asks for the torrent: they might be
  // trackers of others.
  bool by_magnet = false;
  // ... and the link names no tracker, but everybody who is honest.
  bool peers_alone = false;
  bool keep_offering = true;
  bool selects = false;  // of a tree: downloads some files, and others in another life
  // Of the file that it has the torrent from; none: it has got it otherwise.
  std::optional<TorrentFormat> format = std::nullopt;
  std::vector<uint32_t> damaged = {};  // pieces of the offered file that are not the content's
  PartFile part = PartFile::kNone;
  // The file is the content, and the SHA-1 hashes of the torrent are of something else.
  bool contradicts = false;
};

class ClientAdaptor : public DefaultAdaptor {
 public:
  using ClientHost = Host<swarm::Client, ClientAdaptor>;
  using Files = ContentDisk;
  static constexpr std::string_view kMachine = "client";
  static constexpr std::string_view kRoles[] = {"downloads", "offers"};
  std::string_view Role(const swarm::Client&) const { return plan_.downloads ? "downloads" : "offers"; }

  ClientAdaptor(SwarmWorld* swarm, ClientPlan plan) : swarm_(swarm), plan_(std::move(plan)) {}

  std::unique_ptr<swarm::Client> Make(ClientHost& host);
  void Transmit(ClientHost& host, NodeId to, const Slice& message);
  void Deliver(ClientHost& host, uint32_t from, const Slice& bytes);
  void Note(ClientHost& host, const swarm::Protocol::Note& note);
  void Begins(ClientHost& host, const Input<swarm::Protocol>& input);
  void Links(ClientHost& host, const LinkEffect& effect);
  void AfterStep(ClientHost& host);
  void Serves(ClientHost& host, const LinkSendFile& block, std::string_view bytes);

  const ClientPlan& plan() const { return plan_; }
  bool restarted() const { return life_ > 1; }
  // Of an earlier life: what this one claims may be taken back by it, until the next renewal.
  bool withdrawal_may_be_late() const { return withdrawal_may_be_late_; }
  bool finished() const { return finished_; }
  // In this life; Never() before.
  Instant finished_at() const { return finished_at_; }
  uint64_t bytes_served() const { return bytes_served_; }
  // It downloads, and of the web servers that it knows an honest one has not been late too often.
  bool MayUseTheWeb() const;
  // Of what it is to download.
  uint64_t bytes_needed() const;
  // The pieces of its file from `first` on can no longer be read.
  void FileCut(ClientHost& host, uint32_t first);
  // Somebody writes into the offered file, and puts back what was there; the host looks, and tells the
  // machine.
  void FileEdited(ClientHost& host, uint32_t piece, uint64_t offset_in_piece);
  void FilePutBack(ClientHost& host);
  void FileLookedAt(ClientHost& host);
  bool edited() const { return !edits_.empty(); }
  // Nobody has changed its file in this life.
  bool untouched() const { return edits_.empty() && cut_from_ == UINT32_MAX; }
  // Its file was changed in this life and is right again, and it offers other pieces than all.
  std::string NotOfferedAgain(const ClientHost& host) const;

 private:
  void ProvideOffered(ClientHost& host);
  void ProvidePart(ClientHost& host);
  std::vector<uint64_t> edits_;  // offsets
  std::vector<uint64_t> told_;   // of these, what its machine has been told of
  void CheckEdits(ClientHost& host);
  bool put_back_ = false;
  // The torrent as this client has it.
  Metainfo torrent() const;
  Slice PieceBytes(ClientHost& host, uint32_t piece);
  void CheckResumed(ClientHost& host);
  void CheckLeft(ClientHost& host);
  void OnWebTrouble(ClientHost& host, const swarm::WebSeedTrouble& trouble);
  void CheckSaid(ClientHost& host);
  void CheckRates(ClientHost& host);
  void CheckIdle(ClientHost& host);
  void CheckProgress(ClientHost& host);
  void DrawSelection(ClientHost& host);
  std::vector<std::string> Patterns() const;
  void Finished(ClientHost& host);

  SwarmWorld* swarm_;
  ClientPlan plan_;
  std::optional<WireConduct> conduct_;  // of who is honest, and has more than a magnet link
  bool part_provided_ = false;
  bool finished_ = false;
  Instant finished_at_ = Instant::Never();
  std::optional<RandomStream> selections_;
  absl::btree_set<size_t> selected_;       // files
  absl::btree_set<size_t> ever_selected_;  // in any life
  bool answered_ = false;                  // in this life: by a tracker
  bool failed_ = false;                    // in this life: it has said that it gives up
  bool unread_ = false;                    // in this life: a piece could not be read, and it has said so
  bool withdrawn_ = false;                 // in this life: it stops, and the tracker has taken its claim back
  bool withdrawal_may_be_late_ = false;
  bool offered_ = false;            // in this life: a tracker has acknowledged a claim
  Instant began_;                   // this life
  uint32_t life_ = 0;               // part of the ids that travel, as a connection is of one process
  uint32_t cut_from_ = UINT32_MAX;  // in this life: others cut the file before this piece
  Instant stops_since_ = Instant::Never();
  uint64_t bytes_served_ = 0;
  uint64_t steps_ = 0;
  absl::btree_set<uint32_t> web_left_;  // in this life: web servers that it has not given up
};

using ClientHost = ClientAdaptor::ClientHost;

class InquiryAdaptor : public DefaultAdaptor {
 public:
  using InquiryHost = Host<swarm::Inquiry, InquiryAdaptor>;
  using Files = ContentDisk;
  static constexpr std::string_view kMachine = "inquiry";

  // `other_name`: registers the content's second name, not the first.
  InquiryAdaptor(SwarmWorld* swarm, bool other_name) : swarm_(swarm), other_name_(other_name) {}

  std::unique_ptr<swarm::Inquiry> Make(InquiryHost& host);
  void Transmit(InquiryHost& host, NodeId to, const Slice& message);
  void Deliver(InquiryHost& host, uint32_t from, const Slice& bytes);
  void Note(InquiryHost& host, const swarm::Protocol::Note& note);

  bool registered() const { return registered_; }

 private:
  SwarmWorld* swarm_;
  bool other_name_;
  bool registered_ = false;
};

using InquiryHost = InquiryAdaptor::InquiryHost;

}  // namespace bt::sim
