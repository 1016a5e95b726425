#pragma once

// StreamLinks: the byte-stream links of a machine on TCP. It executes link effects and delivers link inputs,
// on the loop's thread. Sends are queued and flushed at the end of the loop's iteration; ranges of files go
// out through sendfile(2). Reading is bounded per wake-up, so that links share the loop fairly, and can be
// paused as a whole while the receiver of the bytes is behind.

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/machine/input.h"
#include "core/machine/outbox.h"
#include "net/acceptor.h"
#include "net/buffer_pool.h"
#include "net/connection.h"
#include "net/fd.h"
#include "net/loop.h"

namespace bt::net {

using LinkInput = std::variant<LinkUp, LinkReceived, LinkSent, LinkDown, ReadFailed>;

struct StreamLinksOptions {
  size_t links_max = 256;  // both directions together; more are turned away and counted
  size_t read_bytes_per_wake = 256 * 1024;
  // What a peer is asked for and told goes out behind the blocks it is sent.
  ConnectionOptions connection{.unsent_bytes_max = 16 << 10};
  // Told of each connection that was dialled and has ended by itself, or that the machine has closed before
  // it was up: whether it came up, and whether the peer has said anything. May be empty.
  std::function<void(const Address& peer, bool up, bool spoke)> dialled = {};
};

class StreamLinks {
 public:
  struct Counters : ConnectionCounters {
    uint64_t accepted = 0;
    uint64_t turned_away = 0;  // accepted and closed at once: links_max
    uint64_t connect_failed = 0;
    uint64_t queue_overflow = 0;
    uint64_t reading_pauses = 0;
  };

  using Deliver = std::function<void(LinkInput)>;
  using FindFile = std::function<FileSpot(FileId, uint64_t offset)>;

  StreamLinks(Loop& loop, StreamLinksOptions options);
  ~StreamLinks();

  // Before the first effect or link. `deliver` may execute effects, also on the link it is told about;
  // it is never called from within Execute. `find_file` says where the bytes are that a SendFile names.
  void Connect(Deliver deliver, FindFile find_file);

  // Accepts links from now on; returns the address with its real port. At most once.
  absl::StatusOr<Address> Listen(const Address& address);
  // A connection that somebody else has accepted, with nothing read from it but by its filter: as if it had
  // come to this listener.
  void Adopt(Accepted accepted, const Address& peer);

  void Execute(LinkEffect effect);

  // Receives nothing on any link until resumed.
  void PauseReading(bool paused);

  // Links that are not done for, closing ones included.
  size_t links() const { return links_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Link;

  void Start(const LinkConnect& connect);
  void Send(LinkSendBytes send);
  void Send(LinkSendFile send);
  void Close(const LinkClose& close);
  Connection* Find(LinkId id);
  Connection::Tell Hear(LinkId id);
  void OnEvent(LinkId id, ConnectionEvent event);
  void Read(LinkId id);
  void OnDown(LinkId id);
  void TellDialled(const Link& link) const;
  void Drop(LinkId id, std::string why);

  Loop& loop_;
  const StreamLinksOptions options_;
  Deliver deliver_;
  FindFile find_file_;
  BufferPool pool_;
  Counters counters_;
  absl::flat_hash_map<LinkId, std::unique_ptr<Link>> links_;  // at most links_max
  // What Execute found out and the machine must hear once its step is over.
  Later later_;
  uint64_t inbound_count_ = 0;
  bool reading_paused_ = false;
  std::optional<Acceptor> acceptor_;
};

}  // namespace bt::net
