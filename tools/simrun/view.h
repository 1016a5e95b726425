#pragma once

// The picture of a run: one HTML page that needs nothing else, with a lane for each node, messages as arrows,
// faults, lives and who leads, and the judge's finding. view.html is the page, and draws; here are its data.

#include <cstdint>
#include <cstdio>
#include <string>

#include "sim/harness.h"
#include "sim/trace.h"

namespace bt::sim {

// Records of one page, at most: the last ones.
inline constexpr uint64_t kViewRecordsMax = 200'000;

// The record as one line, as the page wants it; what is no UTF-8 is replaced.
std::string ViewLine(const TraceRecord& record);

struct ViewStats {
  uint64_t records = 0;
  uint64_t left_out = 0;  // earlier ones, beyond kViewRecordsMax
};
// Writes the page of a run whose records stand in `lines`, from its beginning, one ViewLine each. `cause`:
// the event after which its failure was inevitable (why.h); 0: not known. Whether all of it could be written
// the stream tells.
ViewStats WriteView(const std::string& scenario, const Report& report, uint64_t cause, std::FILE* lines,
                    std::FILE* page);

}  // namespace bt::sim
