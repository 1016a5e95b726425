#pragma once

// StreamLinks: the byte-stream links of a machine on TCP. It executes link effects and delivers link inputs,
// on the loop's thread. Sends are queued and flushed at the end of the loop's iteration; files go out
// through sendfile(2). Reading is bounded per wake-up, so that links share the loop fairly, and can be
// paused as a whole while the block store is behind.

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/input.h"
#include "core/machine/outbox.h"
#include "net/acceptor.h"
#include "net/buffer_pool.h"
#include "net/content_file.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

using LinkInput = std::variant<LinkUp, LinkReceived, LinkSent, LinkDown, ReadFailed>;

struct StreamLinksOptions {
  size_t links_max = 256;  // both directions together; more are turned away and counted
  Duration connect_timeout = Seconds(10);
  // How long a link closed with `flush` may take to get rid of its queue and to see the peer close.
  Duration flush_patience = Seconds(10);
  size_t read_bytes_per_wake = 256 * 1024;
  size_t write_bytes_per_wake = 1024 * 1024;
  size_t queued_bytes_max =
      64 * 1024 * 1024;                 // per link, file blocks not counted; past it the link goes down
  size_t queued_items_max = 64 * 1024;  // per link
};

class StreamLinks {
 public:
  struct Counters {
    uint64_t accepted = 0;
    uint64_t turned_away = 0;  // accepted and closed at once: links_max
    uint64_t connect_failed = 0;
    uint64_t queue_overflow = 0;
    uint64_t received_bytes = 0;
    uint64_t sent_bytes = 0;
    uint64_t reading_pauses = 0;
  };

  using Deliver = std::function<void(LinkInput)>;
  using FindFile = std::function<std::shared_ptr<const ContentFile>(FileId)>;

  StreamLinks(Loop& loop, StreamLinksOptions options);
  ~StreamLinks();

  // Before the first effect or link. `deliver` may execute effects, also on the link it is told about;
  // it is never called from within Execute. `find_file` gives the open file a SendBlock names, or nullptr.
  void Connect(Deliver deliver, FindFile find_file);

  // Accepts links from now on; returns the address with its real port. At most once.
  absl::StatusOr<Address> Listen(const Address& address);

  void Execute(LinkEffect effect);

  // Receives nothing on any link until resumed.
  void PauseReading(bool paused);

  // Links that are not done for, closing ones included.
  size_t links() const { return links_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Link;
  struct SendItem {
    Slice bytes;                              // or
    std::shared_ptr<const ContentFile> file;  // `left` bytes of it from `offset`
    FileId file_id;
    uint64_t offset = 0;
    uint64_t left = 0;
  };
  enum class Flow : uint8_t { kGoOn, kBlocked, kGone };

  void Start(const LinkConnect& connect);
  void Queue(LinkId id, SendItem item);
  void Send(const LinkSendBytes& send);
  void Send(LinkSendBlock send);
  void Close(const LinkClose& close);
  Link* Find(LinkId id);
  void Take(Fd fd, const Address& peer);
  void OnReady(LinkId id, uint32_t events);
  void OnConnected(Link& link);
  void Read(LinkId id);
  void Discard(Link& link);
  void Flush();
  void FlushLink(LinkId id);
  Flow WriteBytes(Link& link);
  Flow WriteFile(Link& link);
  void UpdateEvents(Link& link);
  void OnTimeout(LinkId id);
  void MarkDirty(Link& link);
  void Later(std::function<void()> function);
  // Tells the machine unless it closed the link itself.
  void Drop(LinkId id, std::string why);

  Loop& loop_;
  const StreamLinksOptions options_;
  Deliver deliver_;
  FindFile find_file_;
  BufferPool pool_;
  absl::flat_hash_map<LinkId, std::unique_ptr<Link>> links_;
  std::vector<LinkId> dirty_;
  Deferred flush_;
  // What Execute found out and the machine must hear once its step is over.
  std::vector<std::function<void()>> later_;
  Deferred run_later_;
  uint64_t inbound_count_ = 0;
  bool reading_paused_ = false;
  Counters counters_;
  std::optional<Acceptor> acceptor_;
};

}  // namespace bt::net
