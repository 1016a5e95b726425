#pragma once

// VectorSurroundings<P>: the smallest world for a Runner. What a machine does collects in vectors, in order;
// the test takes it from there, decides what becomes of it, and says when writes are durable and timers fire.

#include <utility>
#include <vector>

#include "core/machine/runner.h"

namespace bt {

template <class P>
struct VectorSurroundings : Unwatched<P> {
  struct Sent {
    NodeId to;
    typename P::Message message;
  };

  // `test_clock` is read whenever the machine is told the time.
  VectorSurroundings(const Instant& test_clock, Rng generator) : clock(test_clock), random(generator) {}

  Instant Now() const { return clock; }
  Rng& rng() { return random; }
  void Append(JournalWrite write) { writes.push_back(std::move(write)); }
  void Commit() {}
  void Forget(WriteSeq seq) { needed = seq; }
  void Transmit(NodeId to, typename P::Message message) { sent.push_back({to, std::move(message)}); }
  void Do(typename P::FileEffect effect) { files.push_back(std::move(effect)); }
  void Do(LinkEffect effect) { links.push_back(std::move(effect)); }
  void Answer(CallId call, typename P::Response response) { answers.push_back({call, std::move(response)}); }
  void Note(typename P::Note note) { notes.push_back(std::move(note)); }
  void Wake(Instant) {}  // the test looks at the runner's timers

  // A crash: nothing that lies here is durable or on its way.
  void Clear() {
    writes.clear();
    sent.clear();
    files.clear();
    links.clear();
    answers.clear();
    notes.clear();
  }

  const Instant& clock;
  Rng random;
  std::vector<JournalWrite> writes;
  WriteSeq needed;  // records below it were forgotten
  std::vector<Sent> sent;
  std::vector<typename P::FileEffect> files;
  std::vector<LinkEffect> links;
  std::vector<typename Outbox<P>::Answer> answers;
  std::vector<typename P::Note> notes;
};

}  // namespace bt
