#pragma once

// What happens in a world, as records: when, at whom, what kind, with whom or about what number. RenderTrace
// makes the line people read; whoever draws a picture reads the records. What a record carries as text (a
// message, a note) is rendered when it happens, and only when somebody looks.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "sim/faults.h"

namespace bt::sim {

enum class TraceKind : uint8_t {
  kEvent,      // text: something a scenario tells
  kOperation,  // text: somebody outside asks a node for something
  kStart,      // number: where the journal ends
  kCrash,      //
  kStall,      //
  kResume,     // number: how many inputs waited
  kInput,      // text: the input of a step
  kHold,       // peer, number: the write the message waits for, text: the message
  kSend,       // peer, text: the message
  kAnswer,     // peer: the client, text: the answer
  kNote,       // text
  kConnect,    // number: the link, text: to whom
  kClose,      // number: the link
  kFault,      // number: the Fault, node and peer: where
  kFailure,    // text: the judge's sentence
};

inline constexpr uint32_t kNobody = UINT32_MAX;

// What is known before any text is made.
struct TraceHead {
  std::string_view who;
  TraceKind kind = TraceKind::kEvent;
  uint32_t node = kNobody;  // the endpoint it happens at
  uint64_t peer = 0;
  uint64_t number = 0;
};

struct TraceRecord {
  Instant at{0};
  uint64_t event = 0;  // the world's, from 1; 0: before the first
  std::string who;
  TraceKind kind = TraceKind::kEvent;
  uint32_t node = kNobody;
  uint64_t peer = 0;
  uint64_t number = 0;
  std::string text;
};

// What happened: "  -> 2  Accept{..}".
std::string TraceWords(const TraceRecord& record);
// The whole line: "    12.345678s  tracker-1     -> 2  Accept{..}".
std::string RenderTrace(const TraceRecord& record);
// "12.345678s"
std::string TimeText(Instant time);

}  // namespace bt::sim
