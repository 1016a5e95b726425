#include "sim/faults.h"

#include "core/base/check.h"

namespace bt::sim {

const char* FaultName(Fault fault) {
  switch (fault) {
    case Fault::kDrop:
      return "drop";
    case Fault::kDuplicate:
      return "duplicate";
    case Fault::kReorder:
      return "reorder";
    case Fault::kPartition:
      return "partition";
    case Fault::kOneWayPartition:
      return "one_way_partition";
    case Fault::kSlowLink:
      return "slow_link";
    case Fault::kBrokenLink:
      return "broken_link";
    case Fault::kStreamReset:
      return "stream_reset";
    case Fault::kConnectRefused:
      return "connect_refused";
    case Fault::kHalfOpen:
      return "half_open";
    case Fault::kSlowStream:
      return "slow_stream";
    case Fault::kCrash:
      return "crash";
    case Fault::kCrashWhileWriting:
      return "crash_while_writing";
    case Fault::kRestart:
      return "restart";
    case Fault::kStall:
      return "stall";
    case Fault::kPermanentStop:
      return "permanent_stop";
    case Fault::kLostWrite:
      return "lost_write";
    case Fault::kTornWrite:
      return "torn_write";
    case Fault::kKeptWrite:
      return "kept_write";
    case Fault::kSlowDisk:
      return "slow_disk";
    case Fault::kAlteredFile:
      return "altered_file";
    case Fault::kWrongBytes:
      return "wrong_bytes";
    case Fault::kLyingBitfield:
      return "lying_bitfield";
    case Fault::kServesNothing:
      return "serves_nothing";
    case Fault::kWrongLength:
      return "wrong_length";
    case Fault::kGarbageFrames:
      return "garbage_frames";
    case Fault::kSlowDrip:
      return "slow_drip";
    case Fault::kFalseClaim:
      return "false_claim";
    case Fault::kCount:
      break;
  }
  CHECK_MSG(false, "not a fault");
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
