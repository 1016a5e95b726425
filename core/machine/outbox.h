#pragma once

// Outbox<P>: the effects of one step. Owned by the runner; cleared, not freed, between steps.
//
// The order in which the effects of one step happen is contract (runner.h executes it, and nothing else
// does):
//     journal writes and what of the journal is forgotten, then the messages that may go, file work, links,
//     replies, notes;
// within each kind, in the order the machine asked for them. A message that rests on a write goes when that
// write is durable: all messages that one WriteDone lets go leave in the order they were sent, before the
// machine's step for that WriteDone. A message that rests on no unfinished write goes in its own step, also
// past earlier ones to the same node that are still held: a leader's Accept and heartbeats must not wait for
// the leader's own disk, and a follower's heartbeat replies must not wait for its Accepted. Machines
// therefore take messages of one sender in any order; the network may reorder them anyway.
//
// Durability gating is in the type. A message struct that tells others of something this node has
// written declares
//     static constexpr bool kRestsOnJournal = true;
// and Send() does not compile for it: only SendAfter(to, message, after), which demands the WriteSeq it
// rests on. The runner holds such a message until every write <= `after` is durable; a crash discards it.

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/check.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/timer_table.h"

namespace bt {

template <class T>
concept RestsOnJournal = requires {
  requires T::kRestsOnJournal;
};

struct JournalWrite {
  WriteSeq seq;
  uint8_t type = 0;
  Slice body;
};

// --- link effects, executed in order ---

struct LinkConnect {
  LinkId link;  // chosen by the machine, kInboundLink bit clear, never used before
  Address peer;
};
struct LinkSendBytes {
  LinkId link;
  Slice bytes;
};
// `header` and then file bytes [offset, offset + length), in order with the link's other sends.
struct LinkSendFile {
  LinkId link;
  Slice header;
  FileId file;
  uint64_t offset = 0;
  uint32_t length = 0;
};
// Drops what is still queued when `flush` is false.
struct LinkClose {
  LinkId link;
  bool flush = false;
};
using LinkEffect = std::variant<LinkConnect, LinkSendBytes, LinkSendFile, LinkClose>;

template <class P>
class Outbox {
 public:
  using Message = typename P::Message;
  using Timer = typename P::Timer;

  struct Outgoing {
    NodeId to;
    Message message;
    WriteSeq after;  // 0: at once
  };
  struct Answer {
    CallId call;
    typename P::Response response;
  };

  // `last_durable`: the sequence of the last record recovery found; the next Write gets the one after.
  explicit Outbox(WriteSeq last_durable = WriteSeq(0)) : last_write_(last_durable) {}

  // T is one alternative of Message, never the variant itself: that would slip past the gate.
  template <class T>
  requires(!RestsOnJournal<T> && !std::same_as<T, Message>) void Send(NodeId to, T message) {
    sends.push_back({to, Message(std::move(message)), WriteSeq(0)});
  }
  template <class T>
  void SendAfter(NodeId to, T message, WriteSeq after) {
    sends.push_back({to, Message(std::move(message)), after});
  }
  // Appends a record to the journal; it is durable when WriteDone names this sequence or a later one.
  WriteSeq Write(uint8_t type, Slice body) {
    ++last_write_;
    writes.push_back({last_write_, type, std::move(body)});
    return last_write_;
  }
  WriteSeq last_write() const { return last_write_; }
  // No later life of this machine needs a record below `needed`: what it was told of them stands in durable
  // records from there on. They may be gone from its next Started, or some of them.
  void Forget(WriteSeq needed) { forget = needed; }

  void Arm(Timer timer, Instant deadline) { timers.Arm(timer, deadline); }
  void Disarm(Timer timer) { timers.Disarm(timer); }

  void Link(LinkEffect effect) { links.push_back(std::move(effect)); }
  void File(typename P::FileEffect effect) { files.push_back(std::move(effect)); }
  void Reply(CallId call, typename P::Response response) { replies.push_back({call, std::move(response)}); }
  void Note(typename P::Note note) { notes.push_back(std::move(note)); }

  // For the runner, after it has executed the effects. Timers stay.
  void Clear() {
    sends.clear();
    writes.clear();
    forget = WriteSeq(0);
    links.clear();
    files.clear();
    replies.clear();
    notes.clear();
  }

  std::vector<Outgoing> sends;
  std::vector<JournalWrite> writes;
  WriteSeq forget;  // 0: nothing
  std::vector<LinkEffect> links;
  std::vector<typename P::FileEffect> files;
  std::vector<Answer> replies;
  std::vector<typename P::Note> notes;
  TimerTable<Timer> timers;

 private:
  WriteSeq last_write_;
};

}  // namespace bt
