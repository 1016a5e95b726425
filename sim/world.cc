#include "sim/world.h"

#include <absl/strings/str_format.h>

#include <algorithm>

#include "core/base/check.h"

namespace bt::sim {

World::World(uint64_t seed, WorldOptions options)
    : seed_(seed),
      root_(seed),
      options_(std::move(options)),
      tracing_(options_.trace || options_.trace_file != nullptr) {
  heap_.reserve(1024);
}

void World::Schedule(Instant when, EventSink* sink, uint64_t argument) {
  CHECK(when >= now_);
  Push({when.ns, ++sequence_, sink, argument});
}

void World::Push(const Event& event) {
  size_t hole = heap_.size();
  heap_.push_back(event);
  while (hole > 0) {
    const size_t parent = (hole - 1) / 4;
    if (!Before(event, heap_[parent])) break;
    heap_[hole] = heap_[parent];
    hole = parent;
  }
  heap_[hole] = event;
}

World::Event World::Pop() {
  const Event top = heap_.front();
  const Event last = heap_.back();
  heap_.pop_back();
  const size_t size = heap_.size();
  if (size == 0) return top;
  size_t hole = 0;
  while (true) {
    const size_t first = hole * 4 + 1;
    if (first >= size) break;
    size_t best = first;
    const size_t end = std::min(first + 4, size);
    for (size_t child = first + 1; child < end; ++child) {
      if (Before(heap_[child], heap_[best])) best = child;
    }
    if (!Before(heap_[best], last)) break;
    heap_[hole] = heap_[best];
    hole = best;
  }
  heap_[hole] = last;
  return top;
}

void World::RunUntil(Instant end) {
  while (!heap_.empty() && heap_.front().time <= end.ns && !failed()) {
    const Event event = Pop();
    now_ = Instant{event.time};
    if (++events_ > kEventLimit) return Fail("the run does not end: event limit reached");
    event.sink->Fire(event.argument);
  }
  if (!failed()) now_ = std::max(now_, end);
}

void World::Observe(uint64_t node, uint64_t what, uint64_t hash) {
  digest_.Add(static_cast<uint64_t>(now_.ns));
  digest_.Add(node * 256 + what);
  digest_.Add(hash);
  if (options_.record != nullptr) [[unlikely]] {
    options_.record->push_back(digest_.value());
  }
  if (options_.expect != nullptr) [[unlikely]] {
    if (steps_ >= options_.expect->size() || (*options_.expect)[steps_] != digest_.value()) {
      Fail(absl::StrFormat("two runs of one seed differ: first divergent event is step %d at %s on node %d",
                           steps_, TimeText(now_), node));
    }
  }
  ++steps_;
}

void World::AddTrace(std::string_view who, std::string text) {
  if (now_ < options_.from || now_ > options_.to) return;
  std::string line =
      absl::StrFormat("%14s  %-10s  %s", TimeText(now_), absl::string_view(who.data(), who.size()), text);
  if (options_.trace_file != nullptr) std::fprintf(options_.trace_file, "%s\n", line.c_str());
  if (!options_.trace) return;
  ring_.push_back(std::move(line));
  if (ring_.size() > kTraceRing) ring_.pop_front();
}

bool World::Counts(std::string_view sentence) const {
  std::string_view judge = options_.judge;
  if (judge.empty()) return true;
  const bool all_but = judge.front() == '-';
  if (all_but) judge.remove_prefix(1);
  const bool of_judge = sentence.starts_with(judge) && sentence.substr(judge.size()).starts_with(':');
  return of_judge != all_but;
}

void World::Fail(std::string sentence) {
  if (failure_.has_value() || !Counts(sentence)) return;
  Trace("judge", [&] { return "FAILED: " + sentence; });
  failure_ = std::move(sentence);
}

std::string TimeText(Instant time) {
  return absl::StrFormat("%d.%06ds", time.ns / 1'000'000'000, time.ns / 1000 % 1'000'000);
}

}  // namespace bt::sim
