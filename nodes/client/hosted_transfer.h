#pragma once

// HostedTransfer: one client machine on a loop, with what it needs around it: peer links, the content file,
// the edges to its trackers and web servers. What its notes mean to a user is its owner's matter: a command
// that works alone (transfer.h), or the daemon. Loop thread only.

#include <absl/container/btree_set.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/swarm/client.h"
#include "core/swarm/config.h"
#include "net/fd.h"
#include "net/host.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "net/stream_links.h"
#include "nodes/client/peer_door.h"
#include "nodes/client/trackers.h"
#include "nodes/client/web_client.h"
#include "nodes/content/block_store.h"

namespace bt::nodes {

struct HostedSetup {
  swarm::Config config;  // listen, trackers and web_seeds are filled in by Start
  TrackerList trackers;
  WebSeedList web_seeds;  // of a download
  std::string path;       // of the offered file; of a download the file or directory to make, or empty
};

class HostedTransfer {
 public:
  // May be called in the middle of the machine's step: it must not destroy the transfer.
  using TakeNote = std::function<void(swarm::Protocol::Note)>;

  HostedTransfer(net::Loop& loop, HostedSetup setup, TakeNote take_note);
  // Not from within a note. After Stopped nothing is lost by it; before, what a kill -9 loses.
  ~HostedTransfer();
  HostedTransfer(const HostedTransfer&) = delete;
  HostedTransfer& operator=(const HostedTransfer&) = delete;

  // A port of its own for peers, before Start; without an address as PeerDoor::Open.
  absl::StatusOr<Address> Listen(const std::optional<Address>& wanted);
  // Once. `listen`: where peers reach it, as it is claimed.
  void Start(const Address& listen);
  // A connection of a peer that a door has accepted. After Start.
  void Adopt(net::Accepted accepted, const Address& peer);
  // Of this torrent, those under which peers are dialled; none before it is known, but what it was asked by.
  std::vector<InfoHash> info_hashes() const;
  // Other limits of bytes a second from now on; 0: none. After Start.
  void SetLimits(uint64_t upload, uint64_t download);
  // Withdraws and saves; the note Stopped follows.
  void Stop();
  bool started() const { return host_ != nullptr; }
  // See TrackerAsker.
  bool permission_denied() const { return asker_ != nullptr && asker_->permission_denied(); }

  const swarm::Client& machine() const { return host_->machine(); }
  const TrackerList& trackers() const { return setup_.trackers; }
  const WebSeedList& web_seeds() const { return setup_.web_seeds; }
  bool offers() const { return setup_.config.role == swarm::Role::kOffer; }
  bool keeps_offering() const { return setup_.config.keep_offering; }
  // The file or directory to be offered, or made; the torrent is known. Looks at the disk the first time.
  const std::string& Target();
  const swarm::Selection& selected() const { return *machine().selection(); }
  // What the content is made of, as its file was asked for; nullptr before that.
  const swarm::OpenFile* content() const { return content_ ? &*content_ : nullptr; }
  // Where the content's bytes from `offset` on lie, at most `most` of them and of one file, as far as every
  // piece that they are of was hashed, in this life, from what lies there. Length 0: not there, or not yet.
  net::FileRange Readable(uint64_t offset, uint64_t most) const;

  // --- for the host ---

  void SendMessage(NodeId to, const swarm::Protocol::Message& message);
  void OnReply(CallId, swarm::Protocol::Response) {}
  void OnFatal(absl::Status) {}
  void OnNote(swarm::Protocol::Note note) { take_note_(std::move(note)); }

 private:
  using Host = net::Host<swarm::Client, HostedTransfer, BlockStore>;
  Announced WhatIsAnnounced();
  std::unique_ptr<net::Filter> FilterFor(net::FilterSide side, const Address& peer) const;
  void OnDialled(const Address& peer, bool up, bool spoke);

  net::Loop& loop_;
  HostedSetup setup_;
  const TakeNote take_note_;
  Address listen_;
  std::string path_;
  std::optional<swarm::OpenFile> content_;
  // Peers that hung up on a plain handshake without a word: dialled with MSE, until one of these fails.
  absl::btree_set<Address> obfuscated_;  // at most kObfuscatedMax
  std::unique_ptr<net::StreamLinks> links_;
  std::unique_ptr<PeerDoor> door_;  // of a transfer that is alone
  std::unique_ptr<BlockStore> files_;
  std::unique_ptr<TrackerAsker> asker_;
  std::unique_ptr<WebClient> web_;
  std::unique_ptr<Host> host_;
};

}  // namespace bt::nodes
