#include "sim/decisions.h"

#include <algorithm>
#include <utility>

namespace bt::sim {

size_t Decisions::kept() const {
  size_t count = 0;
  for (const StreamDecisions& stream : streams) {
    count += static_cast<size_t>(std::count_if(stream.decisions.begin(), stream.decisions.end(),
                                               [](const Decision& decision) { return decision.value != 0; }));
  }
  return count;
}

Decisions Decisions::Sparse() const {
  Decisions sparse;
  sparse.otherwise = Otherwise::kSimplest;
  for (const StreamDecisions& stream : streams) {
    StreamDecisions left{stream.name, {}};
    std::copy_if(stream.decisions.begin(), stream.decisions.end(), std::back_inserter(left.decisions),
                 [](const Decision& decision) { return decision.value != 0; });
    if (!left.decisions.empty()) sparse.streams.push_back(std::move(left));
  }
  return sparse;
}

uint64_t Tape::Decide(uint64_t drawn, uint64_t bound, bool other_future) {
  const uint64_t ordinal = recorded_.decisions.size();
  if (other_future) {
    recorded_.decisions.push_back({ordinal, drawn, bound});
    return drawn;
  }
  uint64_t value = otherwise_ == Otherwise::kSimplest ? 0 : drawn;
  if (given_ != nullptr && next_given_ < given_->decisions.size() &&
      given_->decisions[next_given_].ordinal == ordinal) {
    value = given_->decisions[next_given_++].value;
    if (bound > 0) value = std::min(value, bound - 1);
  }
  recorded_.decisions.push_back({ordinal, value, bound});
  return value;
}

Tapes::Tapes(const Decisions* given) : otherwise_(given == nullptr ? Otherwise::kDrawn : given->otherwise) {
  if (given == nullptr) return;
  for (const StreamDecisions& stream : given->streams) given_.emplace(stream.name, &stream);
}

Tape* Tapes::Open(const std::string& name) {
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) return known->second;
  const auto given = given_.find(name);
  tapes_.emplace_back(name, given == given_.end() ? nullptr : given->second, otherwise_);
  return by_name_[name] = &tapes_.back();
}

Decisions Tapes::Recording() const {
  Decisions recording;
  for (const Tape& tape : tapes_) recording.streams.push_back(tape.recorded());
  return recording;
}

}  // namespace bt::sim
