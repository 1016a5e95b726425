#pragma once

// BulkSender: long messages to one peer, in chunks. What may be under way is bounded by a window that follows
// the link: it grows while chunks are acknowledged hardly later than on an idle link, and shrinks when they
// queue (as LEDBAT does, RFC 6817), so that what waits in buffers between the two nodes, which everything
// else must pass through, stays below about Config::bulk_delay at the link's rate. Half a window is a chunk;
// a message no longer than that goes as it is.
//
// Messages that are under way together share the link: the next chunk is of the one that has had the least of
// it, so a short one overtakes. Each is told apart by a key: a repetition of one that is queued, or that has
// arrived just now, is dropped. A chunk that is not acknowledged in time is sent again.
//
// A receiver that has forgotten what it acknowledged of a message (it was started anew, or needed the room)
// puts it together in another assembly, and says so. Those chunks are sent again, cut as they were and under
// the same number: under another one the receiver would hold the old beginning beside the new one, where it
// may have no room for both.
//
// Invariants: no more bytes are queued than Config::bulk_queued_bytes_max, or one message; no more are under
// way than the window, or one chunk. What a peer acknowledges nothing of for Config::bulk_idle is dropped.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/highest.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

class BulkSender {
 public:
  // `config` must outlive it. `first`: numbers of messages begin here; none may come twice at one peer.
  BulkSender(const Config& config, uint64_t first);

  // A message of at most this many bytes need not be cut.
  size_t chunk_bytes() const;
  // Whether this message is queued or has arrived lately, so that another copy would be of no use.
  bool Knows(uint64_t key, Instant now) const;
  // `message`, encoded, not empty. False: there is no room.
  bool Queue(uint64_t key, Slice message, Instant now);
  // The next chunk to send now, without `presence`, while there is one.
  bool Next(Instant now, Chunk& chunk);
  // True if it acknowledges something that was under way.
  bool OnAcknowledged(const ChunkAck& ack, Instant now);
  // Looks for what is overdue. Call at next_timer().
  void OnTimer(Instant now);
  Instant next_timer() const;

  bool idle() const { return messages_.empty(); }
  size_t queued() const { return messages_.size(); }
  size_t queued_bytes() const { return queued_bytes_; }
  const Highest& most_queued() const { return most_queued_; }
  const Highest& most_queued_bytes() const { return most_queued_bytes_; }
  size_t under_way() const { return under_way_; }
  size_t window() const { return window_; }
  uint64_t dropped() const { return dropped_; }  // messages, for want of room or of answers
  void CheckInvariants() const;

 private:
  struct Part {
    uint64_t number = 0;  // of the message
    uint64_t offset = 0;
    uint64_t size = 0;
    Instant when;  // sent
    bool repeated = false;
  };
  struct Message {
    uint64_t number = 0;
    uint64_t key = 0;
    Slice bytes;
    uint64_t sent = 0;          // bytes that went out at least once
    uint64_t acknowledged = 0;  // bytes of `parts`
    uint64_t assembly = 0;      // the receiver's, once known
    uint64_t forgotten = 0;     // the assembly before that one
    std::vector<Part> parts;    // that are in `assembly`; at most bytes.size() / chunk_bytes_min and one
  };
  struct Arrived {
    uint64_t key = 0;
    Instant when;
  };

  Message* Find(uint64_t number);
  bool TakePart(std::deque<Part>& parts, const ChunkAck& ack, Part& taken);
  void BeginAgain(Message& message, uint64_t assembly);
  void Measure(const Part& part, Instant now);
  void DropAll();
  void Complete(uint64_t number, Instant now);
  Duration Patience() const;

  const Config& config_;
  uint64_t next_number_;
  std::vector<Message> messages_;  // in order of arrival; at most bulk_messages_max
  size_t queued_bytes_ = 0;
  Highest most_queued_;
  Highest most_queued_bytes_;
  std::deque<Part> flight_;  // in order of sending; at most bulk_window_bytes_max of chunks
  // At most bulk_window_bytes_max of chunks, and what a receiver forgot.
  std::deque<Part> lost_;        // to be sent again
  size_t under_way_ = 0;         // bytes of flight_
  std::deque<Arrived> arrived_;  // at most kArrivedMax
  size_t window_;
  bool window_was_full_ = false;             // since the last acknowledgement
  Instant shrunk_{};                         // when last
  Duration shortest_ = Duration{INT64_MAX};  // way and back, in this and the previous period
  Duration shortest_before_ = Duration{INT64_MAX};
  Instant period_{};
  Duration usual_{};     // way and back, smoothed
  uint32_t silent_ = 0;  // times that nothing was acknowledged in time
  Instant progress_{};   // last acknowledgement, or when the queue had been empty
  uint64_t dropped_ = 0;
};

}  // namespace bt::tracker
