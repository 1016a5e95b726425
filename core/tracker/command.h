#pragma once

// Command: what the replicated log carries for the tracker: one mutation, the exactly-once id it is known
// by, and who asked for it. Encoded once, by the node that took the request; from there to apply the bytes
// are shared. Invariant: DecodeCommand(EncodeCommand(id, x, source)) gives back id, x and source; anything
// else is refused.

#include <absl/status/statusor.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/slice.h"
#include "core/tracker/limits.h"
#include "core/tracker/source.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::tracker {

// Order of registration, from 0: a content's short name inside the cluster. Nothing is ever unregistered.
using TorrentNumber = Tagged<struct TorrentNumberTag, uint32_t>;

// What standard announces say about one peer, many of them in one command.
struct ClaimUpdate {
  // kComplete: has every piece. kIncomplete: does not; pieces it offered one by one stay. kGone: stopped.
  enum class Kind : uint8_t { kComplete, kIncomplete, kGone, kLast = kGone };
  TorrentNumber torrent;
  Address peer;
  Kind kind = Kind::kIncomplete;
  Source source;  // who announced it

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("torrent", self.torrent);
    visit("peer", self.peer);
    visit("kind", self.kind);
    visit("source", self.source);
  }
  friend bool operator==(const ClaimUpdate&, const ClaimUpdate&) = default;
};
struct Claims {
  tracker_api::MutationId id;
  std::vector<ClaimUpdate> updates;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("updates", self.updates);
  }
  friend bool operator==(const Claims&, const Claims&) = default;
};
// Changes nothing: moves log time on, so that claims expire in a cluster nobody talks to.
struct Tick {
  tracker_api::MutationId id;

  static constexpr void Fields(auto& self, auto&& visit) { visit("id", self.id); }
  friend bool operator==(const Tick&, const Tick&) = default;
};

// The limits in force from here on, instead of those of version `replaces` (the first ones are version 0).
struct SetLimits {
  tracker_api::MutationId id;
  uint64_t replaces = 0;
  Limits limits;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("replaces", self.replaces);
    visit("limits", self.limits);
  }
  friend bool operator==(const SetLimits&, const SetLimits&) = default;
};

// The format level in force from here on (format_level.h); one that is not above the level in force changes
// nothing. Proposed by leaders alone.
struct RaiseLevel {
  tracker_api::MutationId id;
  uint32_t to = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("id", self.id);
    visit("to", self.to);
  }
  friend bool operator==(const RaiseLevel&, const RaiseLevel&) = default;
};

// In the order in which they were added to the format: the log's oldest commands are read for ever.
using Operation = std::variant<tracker_api::Register, tracker_api::Offer, tracker_api::Withdraw, Claims, Tick,
                               SetLimits, RaiseLevel>;

// The number of Register, which is 0 else, when the content is a tree, which follows its fields.
inline constexpr uint8_t kRegisterTreeNumber = 0x80;

// The id is in front, once, and is the one that counts; the operation's own `id` equals it after decoding.
struct Command {
  tracker_api::MutationId id;
  Operation operation;
  Source source;  // of a client's mutation: who asked the node that put it into the log
};

// `operation`'s own id is not encoded.
template <class T>
Slice EncodeCommand(const tracker_api::MutationId& id, const T& operation, Source source = {});
// kInvalidArgument says which field is wrong. kUnimplemented: a kind of operation that this program does not
// know, so a later release's.
absl::StatusOr<Command> DecodeCommand(const Slice& bytes);
// What stands in front of the operation, without reading that.
struct CommandHead {
  tracker_api::MutationId id;
  Source source;
  uint8_t operation = 0;  // its number among the kinds, known or not
};
absl::StatusOr<CommandHead> DecodeCommandHead(const Slice& bytes);

}  // namespace bt::tracker
