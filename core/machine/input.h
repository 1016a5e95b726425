#pragma once

// Input<P>: everything that can happen to a machine, a closed variant.

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/base/slice.h"

namespace bt {

// One durable journal record as recovery found it. `type` is the machine's own.
struct JournalRecord {
  WriteSeq seq;
  uint8_t type = 0;
  Slice body;

  static void Fields(auto& self, auto&& visit) {
    visit("seq", self.seq);
    visit("type", self.type);
    visit("body", self.body);
  }
  friend bool operator==(const JournalRecord&, const JournalRecord&) = default;
};

// The first input, once. `records` is everything durable, in order (empty for a new node). A host whose
// journal is corrupt (not merely torn at its tail) does not start the machine.
struct Started {
  std::vector<JournalRecord> records;
};

template <class P>
struct Received {
  NodeId from;
  typename P::Message message;
};

template <class P>
struct TimerFired {
  typename P::Timer timer;
};

// Every Write with sequence <= seq is durable. Monotone; may skip numbers.
struct WriteDone {
  WriteSeq seq;
};

// Requests by the local user or an edge; answered once by Outbox::Reply(id, ...).
template <class P>
struct Call {
  CallId id;
  typename P::Request request;
};

// The caller is gone (an HTTP connection closed): no reply is wanted any more.
struct CallCancelled {
  CallId id;
};

// --- byte-stream links (ordered, reliable until down) ---

// A connection is usable. Inbound ones are announced by this alone.
struct LinkUp {
  LinkId link;
  Address peer;
};
struct LinkReceived {
  LinkId link;
  Slice bytes;  // any cut of the stream, at least one byte
};
// `total`: bytes handed to the network since LinkUp (everything SendBytes and SendBlock queued, in order).
// Told whenever the host's queue for the link has become empty.
struct LinkSent {
  LinkId link;
  uint64_t total = 0;
};
// The link is gone, or could not be made. Nothing more will be heard of it. Not told for links the
// machine closed itself.
struct LinkDown {
  LinkId link;
  std::string why;
};

// --- content files ---

// Completion of OpenFile. For a download `resume` is the last checkpoint's state if one is there and the
// file still is as it was checkpointed, else empty. kNotFound, kPermissionDenied, kFailedPrecondition
// (wrong length), kAlreadyExists, kResourceExhausted (no space) say why not.
struct FileOpened {
  FileId file;
  absl::Status status;
  Slice resume;
  // A download's file was there already: without `resume` its bytes may still be good and are worth hashing.
  bool existing = false;
};
// Completion of StoreBlock: the bytes are written (not synced). `leaf` is the SHA-256 of the block.
struct BlockStored {
  BlockToken token;
  absl::Status status;
  Sha256Digest leaf{};
};
// Completion of HashRange: leaves (SHA-256 of each 16 KiB block, the last one short) or sha1.
struct RangeHashed {
  BlockToken token;
  absl::Status status;
  std::vector<Sha256Digest> leaves;
  Sha1Digest sha1{};
};
// A SendBlock could not read its file; the link was closed with it (LinkDown follows separately).
struct ReadFailed {
  FileId file;
  uint64_t offset = 0;
  uint64_t length = 0;
  absl::Status status;
};
// Completion of Checkpoint: file data and state are durable.
struct Checkpointed {
  FileId file;
  absl::Status status;
};
// Completion of FinishFile: synced, renamed to its final name, directory synced.
struct FileFinished {
  FileId file;
  absl::Status status;
};

template <class P>
using Input = std::variant<Started, Received<P>, TimerFired<P>, WriteDone, Call<P>, CallCancelled, LinkUp,
                           LinkReceived, LinkSent, LinkDown, FileOpened, BlockStored, RangeHashed, ReadFailed,
                           Checkpointed, FileFinished>;

}  // namespace bt
