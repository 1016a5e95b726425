#pragma once

// What tracker nodes say to each other beside Paxos, their timers, and their notes for judges and logs.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/files.h"
#include "core/paxos/protocol.h"
#include "core/tracker/command.h"
#include "core/tracker/format_level.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::tracker {

// Encoded commands for the leader to propose. Each carries its MutationId, which is also what its reply
// is known by: a late reply from before a restart is still a true one.
struct ForwardCommands {
  std::vector<Slice> commands;

  static constexpr void Fields(auto& self, auto&& visit) { visit("commands", self.commands); }
  friend bool operator==(const ForwardCommands&, const ForwardCommands&) = default;
};

struct ForwardReply {
  tracker_api::MutationId id;
  tracker_api::Response response;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("response", self.response);
  }
  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};

// Forwarded commands that the leader has applied.
struct ForwardReplies {
  std::vector<ForwardReply> replies;

  static constexpr void Fields(auto& self, auto&& visit) { visit("replies", self.replies); }
  friend bool operator==(const ForwardReplies&, const ForwardReplies&) = default;
};

// Asks the leader for a read index. `round` never repeats, also not across the asker's restarts: an
// answer that was meant for an earlier question would be too old.
struct AskReadIndex {
  uint64_t round = 0;

  static constexpr void Fields(auto& self, auto&& visit) { visit("round", self.round); }
  friend bool operator==(const AskReadIndex&, const AskReadIndex&) = default;
};

struct ReadIndexAnswer {
  uint64_t round = 0;
  Slot slot;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("round", self.round);
    visit("slot", self.slot);
  }
  friend bool operator==(const ReadIndexAnswer&, const ReadIndexAnswer&) = default;
};

// What the cluster's operator asks, and who was lost and comes back; carried out by the leader.
using Order = std::variant<paxos::AddMember, paxos::RemoveMember, paxos::TransferLeadership, paxos::Readmit>;

// Answered when this node's journal holds a snapshot of a state in which everything is that was acknowledged
// to anybody before the call came. Replica::snapshot() is that one, or a newer one.
struct TakeSnapshot {
  static constexpr void Fields(auto&, auto&&) {}
};

// Passed on to the leader. `number` never repeats, also not across the asker's restarts.
struct ForwardOrder {
  uint64_t number = 0;
  Order order;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("order", self.order);
  }
  friend bool operator==(const ForwardOrder&, const ForwardOrder&) = default;
};

struct OrderAnswer {
  uint64_t number = 0;
  tracker_api::Response response;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("response", self.response);
  }
  friend bool operator==(const OrderAnswer&, const OrderAnswer&) = default;
};

// To the leader: the sender's disk has less room than its reserve, or has room again. Said again every second
// while it is so.
struct TellRoom {
  bool low = false;

  static constexpr void Fields(auto& self, auto&& visit) { visit("low", self.low); }
  friend bool operator==(const TellRoom&, const TellRoom&) = default;
};

// To all members, every second: what the sender's program is, and which format levels it reads.
struct TellLevels {
  LevelRange levels;
  std::string program;  // its version, for people

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("levels", self.levels);
    visit("program", self.program);
  }
  friend bool operator==(const TellLevels&, const TellLevels&) = default;
};

// --- long messages, in parts (bulk.h) ---

// Bytes [offset, offset + bytes.size()) of a message, encoded as Protocol::Message, of `size` bytes.
// `message` never repeats, also not across the sender's restarts.
struct Chunk {
  uint64_t message = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
  Slice bytes;
  paxos::Presence presence;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("message", self.message);
    visit("size", self.size);
    visit("offset", self.offset);
    visit("bytes", self.bytes);
    visit("presence", self.presence);
  }
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

// The chunk at `offset` has come. `assembly` is another one where the receiver has begun anew.
struct ChunkAck {
  uint64_t message = 0;
  uint64_t offset = 0;
  uint64_t assembly = 0;
  paxos::Presence presence;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("message", self.message);
    visit("offset", self.offset);
    visit("assembly", self.assembly);
    visit("presence", self.presence);
  }
  friend bool operator==(const ChunkAck&, const ChunkAck&) = default;
};

// --- long commands, ahead of the slots that order them (shipments.h, held_values.h) ---

// From the leader: a command that it means to propose. `number` never repeats, also not across the sender's
// restarts.
struct ShipValue {
  uint64_t number = 0;
  Slice command;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("command", self.command);
  }
  friend bool operator==(const ShipValue&, const ShipValue&) = default;
};

// To who shipped it: the sender holds the value, or does not, or no more.
struct ValueHeld {
  uint64_t number = 0;
  bool held = false;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("number", self.number);
    visit("held", self.held);
  }
  friend bool operator==(const ValueHeld&, const ValueHeld&) = default;
};

// Where a shipped value belongs: it is command `command` of the batch that is value `value` of the message.
// `digest`: its xxh3-64.
struct ValuePlace {
  uint32_t value = 0;
  uint32_t command = 0;
  uint64_t number = 0;
  uint64_t digest = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("value", self.value);
    visit("command", self.command);
    visit("number", self.number);
    visit("digest", self.digest);
  }
  friend bool operator==(const ValuePlace&, const ValuePlace&) = default;
};

// An Accept or a CatchUpReply to one who holds these values; where they belong the commands are empty.
struct Abridged {
  paxos::Message message;
  std::vector<ValuePlace> places;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("message", self.message);
    visit("places", self.places);
  }
  friend bool operator==(const Abridged&, const Abridged&) = default;
};

// --- notes ---

// The registry and the sessions reflect every slot up to this one; `digest` is equal on every replica.
struct Applied {
  Slot slot;
  uint32_t commands = 0;
  uint64_t digest = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("slot", self.slot);
    visit("commands", self.commands);
    visit("digest", self.digest);
  }
};

// A mutation was answered to its caller. kOk and kCreated promise durability.
struct Acked {
  CallId call;
  tracker_api::MutationId id;
  tracker_api::Outcome outcome = tracker_api::Outcome::kOk;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("call", self.call);
    visit("id", self.id);
    visit("outcome", self.outcome);
  }
};

// What this node's journal holds, or what the cluster gives it, cannot be read: a later release wrote it, or
// it is damaged. The node takes no part, and must stop.
struct Unusable {
  std::string why;

  static constexpr void Fields(auto& self, auto&& visit) { visit("why", self.why); }
};

// This encoded message is on its way to `to` from now on, in chunks.
struct Carries {
  NodeId to;
  Slice message;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("to", self.to);
    visit("message", self.message);
  }
};

// What a client asks.
struct Asked {
  tracker_api::Request request;
  Source source;  // of the connection it came over

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("request", self.request);
    visit("source", self.source);
  }
};

// From the host: the file system that holds the journal has so much room for this node. Answered at once.
struct DiskRoom {
  uint64_t free_bytes = 0;

  static constexpr void Fields(auto& self, auto&& visit) { visit("free_bytes", self.free_bytes); }
};

struct Protocol {
  using Message = std::variant<paxos::Message, ForwardCommands, ForwardReplies, AskReadIndex, ReadIndexAnswer,
                               ForwardOrder, OrderAnswer, Chunk, ChunkAck, TellRoom, TellLevels, ShipValue,
                               ValueHeld, Abridged>;
  enum class Timer : uint8_t {
    kReplica,   // the earliest of the replica's own
    kFlush,     // what was held back to be sent together
    kRetry,     // deadlines and repetitions of what is pending
    kExpiry,    // the leader moves log time on
    kSnapshot,  // the next piece of one: to save, or at a start to read
    kRest,      // what a step had no room for (step_work.h)
    kBulk,      // chunks that are not acknowledged in time
    kLevel,     // the leader raises the format level
    kCount
  };
  using FileEffect = NoFiles;
  using FileDone = NoFiles;
  // What clients may ask, what only the cluster's operator may, and what the host tells.
  using Request = std::variant<Asked, SetLimits, Order, TakeSnapshot, DiskRoom>;
  using Response = tracker_api::Response;
  using Note = std::variant<paxos::Note, Applied, Acked, Unusable, Carries>;
};

}  // namespace bt::tracker
