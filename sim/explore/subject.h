#pragma once

// Subject: what explore must be told of a machine in order to walk all its futures: how to make one, when two
// of them are alike, which of its timers fire and how often, what it is asked, and who judges it. One subject
// is the same for all nodes. paxos_subject.h is the one for replicas; tests/sim/explore_toy.h the smallest.

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/machine/machine.h"
#include "sim/explore/sight.h"

namespace bt::sim::explore {

// How a message travels.
enum class Way : uint8_t {
  kLink,    // behind all others of its sender to its receiver
  kAtOnce,  // it comes in the very step in which it leaves, past all others
  kNever,   // it is lost, always
};

template <class S>
concept Subject = requires(const S& subject, typename S::Machine& machine,
                           const typename S::Machine& constant,
                           const Input<typename S::Machine::Protocol>& input, NodeId node,
                           const std::vector<JournalRecord>& records, uint32_t number,
                           typename S::Machine::Protocol::Timer timer,
                           const typename S::Machine::Protocol::Message& message,
                           const typename S::Machine::Protocol::Request& request,
                           const typename S::Machine::Protocol::Note& note,
                           const Sight<typename S::Machine::Protocol, typename S::Look>& sight,
                           typename S::Judge& judge, const typename S::Judge& judged) {
  requires Machine<typename S::Machine>;
  // A new machine, for a life that begins with these records.
  { subject.Make(node, records) } -> std::same_as<std::unique_ptr<typename S::Machine>>;
  // Of all that decides what later steps do, but for readings of the clock.
  { subject.Digest(constant) } -> std::same_as<uint64_t>;
  // After each step: takes what the machine has for the state above, and notes down what judges look at.
  { subject.After(machine, input) } -> std::same_as<typename S::Look>;
  // Of what the judge does not overlook in a sight: two with equal ones are judged alike.
  { subject.Digest(sight) } -> std::same_as<uint64_t>;
  // How often a timer fires, in all, on whichever nodes have it armed; 0: never. At most 15.
  { subject.Fires(timer) } -> std::same_as<uint32_t>;
  // Whether the timer's firing number `number`, from 0, may be on this node.
  { subject.MayFire(timer, number, node) } -> std::same_as<bool>;
  // In how many ways the machine may draw at random when the timer fires, and the generator of each.
  { subject.Draws(timer) } -> std::same_as<uint32_t>;
  { subject.Generator(number) } -> std::same_as<Rng>;
  // How much time passes on the node before it takes this input. Where no time passes the clock stands still.
  { subject.Passes(constant, input) } -> std::same_as<Duration>;
  { subject.WayOf(message) } -> std::same_as<Way>;
  // Kinds of calls; within a kind they are made in order, each on any node where Takes is true.
  {
    subject.calls()
    } -> std::same_as<const std::vector<std::vector<typename S::Machine::Protocol::Request>>&>;
  { subject.Takes(constant, number) } -> std::same_as<bool>;
  // For people: "Accept 1.2 of slot 3", "election", "append a", "leads with ballot 1.2"; of a note nothing if
  // it is not worth telling.
  { subject.Words(message) } -> std::same_as<std::string>;
  { subject.Words(timer) } -> std::same_as<std::string>;
  { subject.Words(request) } -> std::same_as<std::string>;
  { subject.Words(note) } -> std::same_as<std::string>;
  // Copied for each future. The sentence of what is wrong with this step, if anything is.
  requires std::copy_constructible<typename S::Judge>;
  { judge.See(node, sight) } -> std::same_as<std::optional<std::string>>;
  { judged.Digest() } -> std::same_as<uint64_t>;
  { subject.FirstJudge() } -> std::same_as<typename S::Judge>;
};

}  // namespace bt::sim::explore
