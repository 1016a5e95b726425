#pragma once

// Connection: one TCP connection of any edge: connecting, reading at the user's pace, an out queue that is
// written at the end of the loop's iteration until the socket takes no more, closing with and without what
// is queued, and deadlines. Loop thread only.
//
// The user is told events by one function, never from within a call of its own, and may do anything in it,
// destroying the connection included. kDown is told once and last; a destroyed connection tells nothing.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "net/fd.h"
#include "net/filter.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "net/transport.h"

namespace bt::net {

// One set for all edges; an edge that differs says why where it does.
struct ConnectionOptions {
  // A lost SYN is sent again after 1, 3 and 7 s: three tries. A filter's handshake is part of it.
  Duration connect = Seconds(10);
  // Queued bytes of which the peer's kernel has taken none for so long are given up. It runs from the last
  // progress: a slow link may take as long as it needs.
  Duration write_progress = Seconds(20);
  // How long a finished connection waits for the peer's end, from the last progress likewise. Closing
  // earlier, with bytes of the peer unread, would be a reset that destroys what is still under way to it.
  Duration drain = Seconds(5);
  // Over these the connection goes down: the peer takes less than it asks for. File ranges take no memory
  // and count as one item each.
  size_t queued_bytes_max = 64 << 20;
  size_t queued_items_max = 64 << 10;
  // One connection's share of an iteration of the loop, when its socket takes everything.
  size_t write_bytes_per_wake = 1 << 20;
  // See KeepUnsentShort: for links on which short messages follow long ones. 0: as much as the kernel likes.
  size_t unsent_bytes_max = 0;
  // See NoticeVanishedPeer: for links that may be silent for long and must be known to be there.
  bool notice_vanished_peer = false;
  MakeFilter make_filter;
};

// Of all connections of an edge. Bytes are the user's, before a filter.
struct ConnectionCounters {
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t writes = 0;  // system calls for them (without a filter)
};

enum class ConnectionEvent : uint8_t {
  kUp,        // connected, and the filter's handshake is over
  kReadable,  // bytes, the peer's end or an error are there: Read tells
  kFlushed,   // everything written has been taken by the kernel
  kDown,      // over: reason() and why()
};

enum class DownReason : uint8_t {
  kNone,
  kNotConnected,  // refused, unreachable, no answer in time, or the filter's handshake failed
  kTimedOut,      // the user's deadline, or no progress
  kBroken,
  kOverflow,    // over queued_bytes_max or queued_items_max
  kUnreadable,  // a file to send from; unreadable() is what was left of its range
  kFinished,    // as Finish asked
};

// A descriptor that was accepted, and the filter through which somebody has begun to speak on it; without one
// the options may make it one.
struct Accepted {
  Fd fd;
  std::unique_ptr<Filter> filter;
};

class Connection {
 public:
  using Tell = std::function<void(ConnectionEvent)>;

  // Starts connecting. `options` and `counters` must outlive the connection.
  Connection(Loop& loop, const ConnectionOptions& options, ConnectionCounters& counters, const Address& peer,
             Tell tell);
  // Takes an accepted descriptor; kUp is told before anything else.
  Connection(Loop& loop, const ConnectionOptions& options, ConnectionCounters& counters, const Address& peer,
             Accepted accepted, Tell tell);
  // Closes at once; what is queued is lost.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const Address& peer() const { return peer_; }
  DownReason reason() const { return reason_; }
  const std::string& why() const { return why_; }
  const FileRange& unreadable() const { return unreadable_; }

  // To be written at the end of the iteration, or once up. Ignored after Finish or kDown, and while a peer
  // that takes no more is read to its end.
  void Write(std::string_view bytes);  // copied
  void Write(Slice bytes);
  void Write(FileRange range);
  size_t queued_bytes() const { return queue_.bytes(); }
  bool flushed() const { return queue_.empty(); }
  uint64_t sent() const { return sent_; }  // bytes the kernel has taken

  // No further write and no read: sends what is queued, ends this half, waits for the peer's end (see
  // ConnectionOptions::drain), then tells kDown. kIfUnread spares the waiting when the peer has nothing
  // unread here and none to be expected.
  enum class Drain : uint8_t { kAlways, kIfUnread };
  void Finish(Drain drain);

  // Reads once. kBlocked: nothing there; kEnd: the peer has ended its half, whatever it means to the user;
  // kBroken: over, and kDown is told at the end of the iteration.
  IoResult Read(char* room, size_t size);
  // kReadable is told only while reading, which a connection begins with.
  void SetReading(bool reading);
  // kDown with kTimedOut at that time, unless moved. Instant::Never() at first.
  void SetDeadline(Instant deadline);

  // While it is up: what proofs of the peer's are tied to, and whether the filter has proven who it is. See
  // Filter; without a filter nothing is.
  std::string binding() const { return transport_ ? transport_->binding() : std::string(); }
  bool PeerIsCalled(const std::string& name) const { return transport_ && transport_->PeerIsCalled(name); }
  // Of one that was never up, once it is down: the peer was reached, and the filter's handshake with it was
  // broken off; by the filter, if it was refused for what it said.
  bool broken_off() const { return broken_off_; }
  bool refused() const { return refused_; }

  // See net::HeardFrom.
  bool HeardFrom(Duration recent) const;

 private:
  // What both kinds of connections begin with: the members, before there is a descriptor.
  struct Begun {};
  Connection(Begun, Loop& loop, const ConnectionOptions& options, ConnectionCounters& counters,
             const Address& peer, Tell tell);

  enum class State : uint8_t { kConnecting, kHandshake, kUp, kFinishing, kDraining, kDown };

  void Attach(Fd fd, std::unique_ptr<Filter> filter, State state);
  std::unique_ptr<Filter> MakeFilterOf(FilterSide side) const;
  void OnReady(uint32_t events);
  void OnConnected();
  void Shake();
  void Discard();
  void OnEndOfIteration();
  void Flush();
  void OutputBroke();
  void EndOutput();
  bool Takes() const;
  void Pushed(bool was_empty);
  bool WritesWait() const;
  void UpdateEvents();
  Instant NextDeadline() const;
  void Rearm();
  void OnTimer();
  bool PeerTakesBytes();
  void Close(DownReason reason, std::string why);
  void CloseLater(DownReason reason, std::string why);
  void Fail(DownReason reason, std::string why);
  bool Told(ConnectionEvent event);

  Loop& loop_;
  const ConnectionOptions& options_;
  ConnectionCounters& counters_;
  const Address peer_;
  const std::shared_ptr<Tell> tell_;
  State state_ = State::kConnecting;
  Drain drain_ = Drain::kAlways;
  bool up_told_ = false;
  bool reading_ = true;
  bool blocked_ = false;  // the socket takes no more until it is writable
  bool output_broken_ = false;
  bool broken_off_ = false;
  bool refused_ = false;
  bool unflushed_ = false;  // kFlushed is due once the queue is empty
  bool* gone_ = nullptr;    // set by the destructor, for Told
  std::optional<Transport> transport_;
  std::optional<Watcher> watcher_;
  OutQueue queue_;
  uint64_t sent_ = 0;
  Instant progress_;         // of what the state waits for
  std::optional<int> left_;  // unacknowledged bytes when last looked at, after progress_
  Instant deadline_ = Instant::Never();
  Timer timer_;  // may be armed too early, never too late: moving it for each byte would cost more
  Deferred end_of_iteration_;
  DownReason reason_ = DownReason::kNone;
  std::string why_;  // at most one sentence
  FileRange unreadable_;
};

}  // namespace bt::net
