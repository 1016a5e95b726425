#include "sim/recorder.h"

#include <absl/strings/str_format.h>

#include <utility>

namespace bt::sim {

std::optional<std::string> Recorder::Compare(Instant now, uint64_t node) {
  if (options_.record != nullptr) options_.record->push_back(digest_.value());
  if (options_.expect == nullptr) return std::nullopt;
  const uint64_t step = steps_ - 1;
  if (step < options_.expect->size() && (*options_.expect)[step] == digest_.value()) return std::nullopt;
  return absl::StrFormat("two runs of one seed differ: first divergent event is step %d at %s on node %d",
                         step, TimeText(now), node);
}

void Recorder::Trace(TraceRecord record) {
  if (record.at < options_.from || record.at > options_.to) return;
  if (options_.trace_file != nullptr) std::fprintf(options_.trace_file, "%s\n", RenderTrace(record).c_str());
  if (options_.on_trace != nullptr) options_.on_trace(record);
  if (!options_.trace) return;
  ring_.push_back(std::move(record));
  if (ring_.size() > kTraceRing) ring_.pop_front();
}

}  // namespace bt::sim
