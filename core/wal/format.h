#pragma once

// The bytes of a write-ahead log segment: a header that names its owner, records, and zeros up to a multiple
// of the granule. Pure functions; journal_files.h writes exactly these bytes and nothing else.
//
//   segment header (48 bytes): magic 8, version u16, granule's base-2 logarithm u8, zero u8, node u32,
//                              cluster u64, first sequence u64, needed sequence u64, checksum u64
//   record (32 bytes + body):  length u32, type u8, zero 3, sequence u64, durable u64, checksum u64, body
//   seal (32 bytes):           a record of type 255 without a body, that names the next one's first
//
// A segment that is not the last ends in a seal. It is durable before any record of the next one is written,
// and the next one's name before that: so a journal whose last segment was lost and one that never had it do
// not look alike.
//
// The zeros are written and synced before records take their place, so a commit changes data alone and
// fdatasync need not write the file system's own journal. And a segment never gets shorter: one that is
// shorter than it must have been when a record in it was durable has lost its end, whatever is left of it.
//
// The needed sequence says which records the owner no longer needs: those below it. It is what lets the scan
// tell a journal whose front was removed on purpose from one that has lost its front.
//
// Integers are little-endian. A checksum is xxh3-64 over everything before it and, for a record, its body,
// seeded with the owner's identity: a record of another node, or bytes a client chose, do not pass for ours.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.h"

namespace bt::wal {

inline constexpr size_t kSegmentHeaderBytes = 48;
inline constexpr size_t kRecordHeaderBytes = 32;
inline constexpr uint16_t kFormatVersion = 4;
inline constexpr size_t kSealBytes = kRecordHeaderBytes;
// Of the seal; no record of the owner's has it.
inline constexpr uint8_t kSealType = 255;
// The longest body of a record.
inline constexpr size_t kRecordBytesMax = 16u << 20;
// A segment that has reached this size is closed: the next record begins a new one.
inline constexpr size_t kSegmentBytesTarget = 64u << 20;

// A segment's length is a multiple of its granule, a power of two.
inline constexpr uint8_t kGranuleBitsDefault = 20;
inline constexpr uint8_t kGranuleBitsMax = 30;

// Whose journal it is. Another cluster's or node's data directory is refused.
struct Identity {
  uint64_t cluster = 0;
  NodeId node;

  friend bool operator==(const Identity&, const Identity&) = default;
};

// The kSegmentHeaderBytes that begin a segment whose first record will be `first`. A segment is created
// only after everything in the one before it is durable. `needed`, from 1 to `first`: no record below it is
// needed any more.
std::string EncodeSegmentHeader(const Identity& identity, WriteSeq first, WriteSeq needed,
                                uint8_t granule_bits);

// Appends one record to `out`. `durable`: the highest sequence known durable when this record is handed to
// the file, below `sequence`; all records of one group commit carry the same. It is what lets the scan
// tell a synced record gone bad from an unsynced write that reached the disk out of order.
void AppendRecord(std::string& out, const Identity& identity, WriteSeq sequence, WriteSeq durable,
                  uint8_t type, std::string_view body);

// Appends the seal of a segment whose last record is `next` - 1; the next segment begins with `next`.
void AppendSeal(std::string& out, const Identity& identity, WriteSeq next);

// "journal-00000000000000000001.wal": names sort as their first sequence numbers do.
std::string SegmentFileName(WriteSeq first);
// The inverse; nullopt for any other name.
std::optional<WriteSeq> ParseSegmentFileName(std::string_view name);
// What a segment is called until its header is durable. Recovery removes what bears such a name.
std::string UnfinishedSegmentFileName(WriteSeq first);
bool IsUnfinishedSegmentFileName(std::string_view name);
// The least multiple of the granule that is not below `bytes`.
uint64_t RoundUpToGranule(uint64_t bytes, uint8_t granule_bits);
// The least length of a segment whose records end at `end`: its seal has room, so that sealing never grows
// it.
uint64_t SegmentLength(uint64_t end, uint8_t granule_bits);

}  // namespace bt::wal
