#pragma once

// Recorder: what a world writes down of its run: the rolling digest of each step, which makes two runs of one
// seed comparable, and the trace. Used by World alone, which forwards to it.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "sim/trace.h"

namespace bt::sim {

struct RecorderOptions {
  bool trace = false;               // keep the last kTraceRing records
  std::FILE* trace_file = nullptr;  // and write those between `from` and `to` here
  Instant from{0};
  Instant to = Instant::Never();
  std::function<void(const TraceRecord&)> on_trace;  // sees each of them
  // For naming the first divergent step: one run records its digest after every step, another compares.
  std::vector<uint64_t>* record = nullptr;
  const std::vector<uint64_t>* expect = nullptr;
};

class Recorder {
 public:
  static constexpr size_t kTraceRing = 60;

  explicit Recorder(RecorderOptions options)
      : options_(std::move(options)),
        tracing_(options_.trace || options_.trace_file != nullptr || options_.on_trace != nullptr),
        comparing_(options_.record != nullptr || options_.expect != nullptr) {}

  // One step of a node: what it was and the hash of what it saw and did. The sentence that names the step
  // when it is not the one that was expected.
  std::optional<std::string> Observe(Instant now, uint64_t node, uint64_t what, uint64_t hash) {
    digest_.Add(static_cast<uint64_t>(now.ns));
    digest_.Add(node * 256 + what);
    digest_.Add(hash);
    ++steps_;
    if (comparing_) [[unlikely]] {
      return Compare(now, node);
    }
    return std::nullopt;
  }
  void Mix(uint64_t value) { digest_.Add(value); }
  uint64_t digest() const { return digest_.value(); }
  uint64_t steps() const { return steps_; }

  bool tracing() const { return tracing_; }
  void Trace(TraceRecord record);
  const std::deque<TraceRecord>& trace() const { return ring_; }

 private:
  std::optional<std::string> Compare(Instant now, uint64_t node);

  RecorderOptions options_;
  bool tracing_;
  bool comparing_;
  RollingDigest digest_;
  uint64_t steps_ = 0;
  std::deque<TraceRecord> ring_;
};

}  // namespace bt::sim
