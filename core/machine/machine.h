#pragma once

// What a machine is. A machine is a `final` class with one way in, Step(input, context), and one way
// out, the Outbox in the context. It reads no clock, file or socket; given equal inputs it produces
// equal outputs, in the simulator and in production alike.
//
// A machine names its Protocol, a struct of types:
//   Message   what its nodes send each other: a std::variant of structs with Fields
//   Timer     enum class, dense from 0, closed by kCount
//   Request, Response   what the local user or an edge (HTTP) asks and is answered
//   Note      events for judges, logs and progress: a std::variant; costs nothing when not looked at
//   FileEffect, FileDone   what its machines have done with files, and how that completes: variants, or
//   NoFiles
//
// Call order: once Started; then, for each input, Step, execute the outbox, clear it: that is what Runner
// (runner.h) does. After a crash the machine object is destroyed and a new one is Started from what was
// durable.

#include <concepts>
#include <cstdint>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/machine/input.h"
#include "core/machine/outbox.h"

namespace bt {

template <class P>
struct Context {
  Instant now;
  Rng& rng;
  Outbox<P>& out;
};

template <class M>
concept Machine = requires(M machine, const M& constant, const Input<typename M::Protocol>& input,
                           Context<typename M::Protocol>& context) {
  typename M::Protocol;
  machine.Step(input, context);
  constant.CheckInvariants();
  { constant.Digest() } -> std::same_as<uint64_t>;
};

}  // namespace bt
