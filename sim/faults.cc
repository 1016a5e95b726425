#include "sim/faults.h"

#include "core/base/check.h"

namespace bt::sim {

namespace {

// In the order of Fault.
constexpr std::array<const char*, kFaultCount> kNames = {"drop",
                                                         "duplicate",
                                                         "reorder",
                                                         "partition",
                                                         "one_way_partition",
                                                         "slow_link",
                                                         "broken_link",
                                                         "stream_reset",
                                                         "connect_refused",
                                                         "half_open",
                                                         "slow_stream",
                                                         "crash",
                                                         "crash_while_writing",
                                                         "restart",
                                                         "stall",
                                                         "permanent_stop",
                                                         "lost_write",
                                                         "torn_write",
                                                         "kept_write",
                                                         "forgotten_entry",
                                                         "kept_entry",
                                                         "kept_page_cache",
                                                         "crash_while_recovering",
                                                         "slow_disk",
                                                         "altered_file",
                                                         "hung_disk",
                                                         "wrong_bytes",
                                                         "lying_bitfield",
                                                         "serves_nothing",
                                                         "wrong_length",
                                                         "garbage_frames",
                                                         "slow_drip",
                                                         "false_claim"};
static_assert(kNames.back() != nullptr, "a kind of fault has no name");

}  // namespace

const char* FaultName(Fault fault) {
  CHECK_MSG(fault < Fault::kCount, "not a fault");
  return kNames[static_cast<size_t>(fault)];
}

std::string FaultCounts::ToString() const {
  std::string text;
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (counts_[i] == 0) continue;
    if (!text.empty()) text += ' ';
    text += FaultName(static_cast<Fault>(i));
    text += '=';
    text += std::to_string(counts_[i]);
  }
  return text.empty() ? "none" : text;
}

}  // namespace bt::sim
