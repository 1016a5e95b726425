#pragma once

// The kinds of faults the world can make, and how often each one fired. Every kind has a line in the
// report of a run or a sweep: a kind that never fires tests nothing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bt::sim {

enum class Fault : uint8_t {
  // network, messages
  kDrop,
  kDuplicate,
  kReorder,
  kPartition,
  kOneWayPartition,
  kSlowLink,
  kBrokenLink,
  kLossyLink,
  kSlowReplies,
  kLateLink,
  kLastingCut,
  // network, byte streams
  kStreamReset,
  kConnectRefused,
  kHalfOpen,
  kSlowStream,
  // processes
  kCrash,
  kCrashWhileWriting,
  kRestart,
  kStall,
  kPermanentStop,
  kBegunFromSnapshot,
  kTookSnapshot,
  kSnapshotAsked,
  kSlowProcess,
  kClosedLinks,
  kLetInAnew,
  kHandedOver,
  kRefusedForRoom,
  kOlderRelease,
  kTooOld,
  kLevelRaised,
  // clocks
  kClockOrigin,
  kClockDrift,
  kClockFreeze,
  kClockJump,
  // disk
  kLostWrite,
  kTornWrite,
  kKeptWrite,
  kForgottenEntry,
  kKeptEntry,
  kKeptPageCache,
  kCrashWhileRecovering,
  kSlowDisk,
  kAlteredFile,
  kEditedFile,
  kHungDisk,
  kGrayDisk,
  kThrottledDisk,
  kReadError,
  kWriteError,
  kNoSpace,
  kSyncError,
  kStaleRead,
  kBitRot,
  kMisdirectedWrite,
  kLostEntry,
  kLostDirectory,
  kSwappedFiles,
  kOlderFile,
  kTruncatedFile,
  kDiskLow,
  kPausedReading,
  // malicious peers
  kWrongBytes,
  kLyingBitfield,
  kServesNothing,
  kWrongLength,
  kGarbageFrames,
  kSlowDrip,
  kFalseClaim,
  kMutePeer,
  kBadHandshake,
  kOversizedFrame,
  kUnaskedBlock,
  kFalseWords,
  kCount
};

inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::kCount);

// "drop", as reports count it, and what happened in plain words: "a message is lost".
const char* FaultName(Fault fault);
const char* FaultSentence(Fault fault);
// Consequences of other faults and of healing (a restart, a write that survived a crash) are counted and are
// no faults of their own.
bool IsConsequence(Fault fault);

// Where a fault happens: at an endpoint, or on the way from one to another. UINT32_MAX: no such place.
struct FaultPlace {
  uint32_t node = UINT32_MAX;
  uint32_t to = UINT32_MAX;
};

class FaultCounts {
 public:
  void Add(Fault fault, uint64_t times = 1) { counts_[static_cast<size_t>(fault)] += times; }
  void Add(const FaultCounts& other) {
    for (size_t i = 0; i < kFaultCount; ++i) counts_[i] += other.counts_[i];
  }

  using Plain = std::vector<uint64_t>;
  Plain ToPlain() const { return {counts_.begin(), counts_.end()}; }
  static std::optional<FaultCounts> FromPlain(const Plain& plain);

  uint64_t count(Fault fault) const { return counts_[static_cast<size_t>(fault)]; }
  // "drop=12 crash=3 ..", the kinds that fired.
  std::string ToString() const;

 private:
  std::array<uint64_t, kFaultCount> counts_{};
};

}  // namespace bt::sim
