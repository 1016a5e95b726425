#pragma once

// Input<P>: everything that can happen to a machine, a closed variant. Each input lists its members in
// Fields, from which traces and digests name it: see input_name.h.

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/ids.h"
#include "core/base/slice.h"

namespace bt {

// One durable journal record as recovery found it. `type` is the machine's own.
struct JournalRecord {
  WriteSeq seq;
  uint8_t type = 0;
  Slice body;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("seq", self.seq);
    visit("type", self.type);
    visit("body", self.body);
  }
  friend bool operator==(const JournalRecord&, const JournalRecord&) = default;
};

// The first input, once. `records` is everything durable, in order (empty for a new node), from some record
// at or below the one that an earlier life called needed (Outbox::Forget) on. A host whose journal is corrupt
// (not merely torn at its tail) does not start the machine.
struct Started {
  std::vector<JournalRecord> records;

  static constexpr void Fields(auto& self, auto&& visit) { visit("records", self.records); }
};

template <class P>
struct Received {
  NodeId from;
  typename P::Message message;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("from", self.from);
    visit("message", self.message);
  }
};

template <class P>
struct TimerFired {
  typename P::Timer timer;

  static constexpr void Fields(auto& self, auto&& visit) { visit("timer", self.timer); }
};

// Every Write with sequence <= seq is durable. Monotone; may skip numbers.
struct WriteDone {
  WriteSeq seq;

  static constexpr void Fields(auto& self, auto&& visit) { visit("seq", self.seq); }
};

// Requests by the local user or an edge; answered once by Outbox::Reply(id, ...).
template <class P>
struct Call {
  CallId id;
  typename P::Request request;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("request", self.request);
  }
};

// The caller is gone (an HTTP connection closed): no reply is wanted any more.
struct CallCancelled {
  CallId id;

  static constexpr void Fields(auto& self, auto&& visit) { visit("id", self.id); }
};

// --- byte-stream links (ordered, reliable until down) ---

// A connection is usable. Inbound ones are announced by this alone.
struct LinkUp {
  LinkId link;
  Address peer;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("link", self.link);
    visit("peer", self.peer);
  }
};
struct LinkReceived {
  LinkId link;
  Slice bytes;  // any cut of the stream, at least one byte

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("link", self.link);
    visit("bytes", self.bytes);
  }
};
// `total`: bytes handed to the network since LinkUp (everything SendBytes and SendFile queued, in order).
// Told whenever the host's queue for the link has become empty.
struct LinkSent {
  LinkId link;
  uint64_t total = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("link", self.link);
    visit("total", self.total);
  }
};
// The link is gone, or could not be made. Nothing more will be heard of it. Not told for links the
// machine closed itself.
struct LinkDown {
  LinkId link;
  std::string why;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("link", self.link);
    visit("why", self.why);
  }
};

// A SendFile could not read its file; the link was closed with it (LinkDown follows separately).
struct ReadFailed {
  FileId file;
  uint64_t offset = 0;
  uint64_t length = 0;
  absl::Status status;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("file", self.file);
    visit("offset", self.offset);
    visit("length", self.length);
    visit("status", self.status);
  }
};

// --- peers ---

// The connection on which a peer's messages came was closed at its end, as the kernel does for a process that
// ends. A hint and no more: it may come late, not at all, or about a peer that lives.
struct PeerClosed {
  NodeId peer;

  static constexpr void Fields(auto& self, auto&& visit) { visit("peer", self.peer); }
};

// --- files ---

// A file effect has completed: what the protocol calls that.
template <class P>
struct FileCompleted {
  typename P::FileDone what;

  static constexpr void Fields(auto& self, auto&& visit) { visit("what", self.what); }
};

template <class P>
using Input = std::variant<Started, Received<P>, TimerFired<P>, WriteDone, Call<P>, CallCancelled, LinkUp,
                           LinkReceived, LinkSent, LinkDown, ReadFailed, FileCompleted<P>, PeerClosed>;

}  // namespace bt
