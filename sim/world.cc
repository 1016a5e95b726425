#include "sim/world.h"

#include <algorithm>

#include "core/base/check.h"

namespace bt::sim {

World::World(uint64_t seed, WorldOptions options)
    : seed_(seed),
      event_limit_(options.event_limit),
      redraws_(std::move(options.redraws)),
      root_(seed),
      recorder_(std::move(options.recorder)),
      verdict_(std::move(options.judge)) {
  if (options.record_decisions || options.decisions != nullptr || !redraws_.empty()) {
    tapes_.emplace(options.decisions);
  }
  if (options.watch_kinds) kinds_.emplace();
}

void World::Schedule(Instant when, EventSink* sink, uint64_t argument) {
  CHECK(when >= now_);
  heap_.Push(when, sink, argument);
}

void World::RunUntil(Instant end) {
  while (!heap_.empty() && heap_.next_time() <= end.ns && !failed()) {
    const Event event = heap_.Pop();
    now_ = Instant{event.time};
    if (++events_ > event_limit_) return Fail("the run does not end: event limit reached");
    if (next_redraw_ < redraws_.size() && events_ == redraws_[next_redraw_].after + 1) [[unlikely]] {
      tapes_->BeginFuture(redraws_[next_redraw_++].future);
    }
    event.sink->Fire(event.argument);
  }
  if (!failed()) now_ = std::max(now_, end);
}

void World::AddTrace(const TraceHead& head, std::string text) {
  recorder_.Trace({.at = now_,
                   .event = events_,
                   .who = std::string(head.who),
                   .kind = head.kind,
                   .node = head.node,
                   .peer = head.peer,
                   .number = head.number,
                   .text = std::move(text)});
}

void World::TraceFault(Fault fault, FaultPlace place, std::string detail) {
  std::string text = FaultSentence(fault);
  if (place.to != kNobody) text += ", " + NameOf(place.node) + " to " + NameOf(place.to);
  if (!detail.empty()) text += ", " + detail;
  AddTrace({.who = place.node == kNobody ? "fault" : NameOf(place.node),
            .kind = TraceKind::kFault,
            .node = place.node,
            .peer = place.to,
            .number = static_cast<uint64_t>(fault)},
           std::move(text));
}

void World::Name(uint32_t node, const std::string& name) {
  if (names_.size() <= node) names_.resize(node + 1);
  names_[node] = name;
}

std::string World::NameOf(uint32_t node) const {
  return node < names_.size() && !names_[node].empty() ? names_[node] : "node " + std::to_string(node);
}

void World::Fail(std::string sentence) {
  if (!verdict_.Fail(std::move(sentence))) return;
  Trace({.who = "judge", .kind = TraceKind::kFailure}, [&] { return *failure(); });
}

}  // namespace bt::sim
