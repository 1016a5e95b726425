#include "sim/trace.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "core/base/check.h"
#include "core/machine/input_name.h"

namespace bt::sim {

std::string TraceWords(const TraceRecord& record) {
  switch (record.kind) {
    case TraceKind::kEvent:
    case TraceKind::kOperation:
    case TraceKind::kInput:
      return record.text;
    case TraceKind::kStart:
      return absl::StrCat("starts, journal ends at ", record.number);
    case TraceKind::kCrash:
      return "crashes";
    case TraceKind::kStall:
      return "stalls";
    case TraceKind::kResume:
      return absl::StrCat("resumes, with ", record.number, " inputs waiting");
    case TraceKind::kHold:
      return absl::StrCat("  holds until write ", record.number, " for ", record.peer, "  ", record.text);
    case TraceKind::kSend:
      return absl::StrCat("  -> ", record.peer, "  ", record.text);
    case TraceKind::kAnswer:
      return absl::StrCat("  answers client ", record.peer, "  ", record.text);
    case TraceKind::kNote:
      return absl::StrCat("  note ", record.text);
    case TraceKind::kConnect:
      return absl::StrCat("  connects to ", record.text);
    case TraceKind::kClose:
      return absl::StrCat("  closes link ", LinkText(LinkId(record.number)));
    case TraceKind::kFault:
      return absl::StrCat("  fault: ", record.text);
    case TraceKind::kFailure:
      return absl::StrCat("FAILED: ", record.text);
  }
  CHECK_MSG(false, "not a kind of trace record");
}

std::string RenderTrace(const TraceRecord& record) {
  return absl::StrFormat("%14s  %-10s  %s", TimeText(record.at), record.who, TraceWords(record));
}

std::string TimeText(Instant time) {
  return absl::StrFormat("%d.%06ds", time.ns / 1'000'000'000, time.ns / 1000 % 1'000'000);
}

}  // namespace bt::sim
