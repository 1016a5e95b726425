#pragma once

// Sight<M>: what one step of a machine showed to whoever may look: the cause, what it wrote, told, answered
// and noted, in the order of Runner's contract, and a look at its memory afterwards. Judges see this and
// nothing else, so a step that is remembered is judged as one that happens.

#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/machine/machine.h"

namespace bt::sim::explore {

// A life begins with these writes durable.
struct Began {
  WriteSeq durable;
};
struct Wrote {
  WriteSeq seq;
  uint8_t type = 0;
  Slice body;
};
// Every write up to `seq` is durable; told before anything else of its step.
struct Synced {
  WriteSeq seq;
};
template <class P>
struct Heard {
  NodeId from;
  typename P::Message message;
};
template <class P>
struct Fired {
  typename P::Timer timer;
};
template <class P>
struct Asked {
  CallId call;
  typename P::Request request;
};
// Leaves the node now.
template <class P>
struct Told {
  NodeId to;
  typename P::Message message;
};
template <class P>
struct Answered {
  CallId call;
  typename P::Response response;
};
template <class P>
struct Noted {
  typename P::Note note;
};
// `Look`: what the subject (subject.h) takes down of the machine's memory.
template <class Look>
struct Ended {
  Look look;
};

template <class P, class Look>
using Event = std::variant<Began, Wrote, Synced, Heard<P>, Fired<P>, Asked<P>, Told<P>, Answered<P>, Noted<P>,
                           Ended<Look>>;
template <class P, class Look>
using Sight = std::vector<Event<P, Look>>;

}  // namespace bt::sim::explore
