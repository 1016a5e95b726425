#pragma once

// HeldValues: what leaders have shipped to this node ahead of the slots that will order it (shipments.h), in
// memory alone. It is held until the ballot changes, until no mutation can wait for it any more, for a while
// after it was used, or until there is no room: what is missing then is sent again in full.
//
// Invariant: at most Config::held_values_bytes_max and bulk_messages_max of them, or one.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/highest.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "core/tracker/config.h"
#include "core/tracker/protocol.h"

namespace bt::tracker {

// The values that `message` carries, in order: the only ones that are abridged.
std::vector<Slice*> ValuesIn(paxos::Message& message);
// When nobody waits any more for a value that is begun now.
Instant GivenUpBy(const Config& config, size_t bytes, Instant now);

class HeldValues {
 public:
  // `config` must outlive it.
  explicit HeldValues(const Config& config) : config_(config) {}

  // Answers whether it is held.
  void Take(NodeId from, const ShipValue& shipped, Context<Protocol>& context);
  // The whole message; nullopt: a value is missing, and the sender has been told so, or it is malformed.
  std::optional<paxos::Message> Complete(NodeId from, const Abridged& abridged, Context<Protocol>& context);
  // The ballot has changed: whoever shipped them has given them up.
  void Clear();
  void OnTimer(Instant now);
  Instant next_timer() const;

  size_t count() const { return held_.size(); }
  size_t bytes() const { return bytes_; }
  const Highest& most() const { return most_; }
  const Highest& most_bytes() const { return most_bytes_; }
  void CheckInvariants() const;

 private:
  struct Held {
    NodeId from;
    uint64_t number = 0;
    Slice command;
    uint64_t digest = 0;
    Instant until;
  };

  Held* Find(NodeId from, uint64_t number);
  void MakeRoom(size_t bytes);

  const Config& config_;
  std::deque<Held> held_;  // in order of arrival; at most bulk_messages_max
  size_t bytes_ = 0;
  Highest most_;
  Highest most_bytes_;
};

}  // namespace bt::tracker
