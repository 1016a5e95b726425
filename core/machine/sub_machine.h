#pragma once

// SubMachine<M, Outer>: a machine inside a machine, such as a replica in a tracker node. Its surroundings are
// the outbox of the step under way outside: messages pass on with the write they rest on (the outermost
// runner holds them), writes keep their numbers, links, files and notes pass on as they are. Answers come
// back to the machine outside. The inner machine has its own timers: after each step the outer machine arms
// one timer of its own for next_timer() (the earliest, where it has several machines inside) and calls
// FireDueTimers then.
//
// Invariant: if it writes to the journal, it is the only one that does; WriteDone then goes to it.
// P::Message, Note and FileEffect must be alternatives of the outer protocol's.

#include <memory>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/machine/runner.h"

namespace bt {

template <Machine M, class Outer>
class SubMachine {
 public:
  using P = typename M::Protocol;
  using Answers = std::vector<typename Outbox<P>::Answer>;

  template <class... Arguments>
  explicit SubMachine(Arguments&&... arguments)
      : runner_(std::make_unique<M>(std::forward<Arguments>(arguments)...), outward_) {}

  void Start(const Started& started, Context<Outer>& context) {
    const Within within(outward_, context);
    runner_.Start(started.records, context.out.last_write());
  }
  void Deliver(Input<P> input, Context<Outer>& context) {
    const Within within(outward_, context);
    runner_.Deliver(std::move(input));
  }
  void Call(CallId id, typename P::Request request, Context<Outer>& context) {
    Deliver(bt::Call<P>{id, std::move(request)}, context);
  }
  void FireDueTimers(Context<Outer>& context) {
    const Within within(outward_, context);
    runner_.FireDueTimers();
  }
  Instant next_timer() const { return runner_.timers().Next(); }

  bool has_answers() const { return !outward_.answers.empty(); }
  Answers TakeAnswers() { return std::exchange(outward_.answers, {}); }

  M& machine() { return runner_.machine(); }
  const M& machine() const { return runner_.machine(); }

 private:
  struct Outward : Unwatched<P> {
    Instant Now() const { return context->now; }
    Rng& rng() { return context->rng; }
    void Append(JournalWrite write) {
      const WriteSeq seq = context->out.Write(write.type, std::move(write.body));
      CHECK_MSG(seq == write.seq, "somebody else has written to the inner machine's journal");
    }
    void Commit() {}
    void Forget(WriteSeq needed) { context->out.Forget(needed); }
    void Relay(typename Outbox<P>::Outgoing message) {
      context->out.SendAfter(message.to, std::move(message.message), message.after);
    }
    void Do(typename P::FileEffect effect) { context->out.File(std::move(effect)); }
    void Do(LinkEffect effect) { context->out.Link(std::move(effect)); }
    void Answer(CallId call, typename P::Response response) {
      answers.push_back({call, std::move(response)});
    }
    void Note(typename P::Note note) { context->out.Note(std::move(note)); }
    void Wake(Instant) {}  // the outer machine asks next_timer()

    Context<Outer>* context = nullptr;
    Answers answers;
  };
  // The outer step under way.
  class Within {
   public:
    Within(Outward& outward, Context<Outer>& context) : outward_(outward) { outward_.context = &context; }
    ~Within() { outward_.context = nullptr; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Outward& outward_;
  };

  Outward outward_;
  Runner<M, Outward> runner_;
};

}  // namespace bt
