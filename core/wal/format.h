#pragma once

// The bytes of a write-ahead log segment: a header that names its owner, then records. Pure functions;
// net/journal (real files) and sim/disk (simulated ones) write exactly these bytes and nothing else.
//
//   segment header (40 bytes): magic 8, version u32, node u32, cluster u64, first sequence u64, checksum u64
//   record (32 bytes + body):  length u32, type u8, zero 3, sequence u64, durable u64, checksum u64, body
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

inline constexpr size_t kSegmentHeaderBytes = 40;
inline constexpr size_t kRecordHeaderBytes = 32;
inline constexpr uint32_t kFormatVersion = 1;
// The longest body of a record.
inline constexpr size_t kRecordBytesMax = 16u << 20;
// A segment that has reached this size is closed: the next record begins a new one.
inline constexpr size_t kSegmentBytesTarget = 64u << 20;

// Whose journal it is. Another cluster's or node's data directory is refused.
struct Identity {
  uint64_t cluster = 0;
  NodeId node;

  friend bool operator==(const Identity&, const Identity&) = default;
};

// The kSegmentHeaderBytes that begin a segment whose first record will be `first`. A segment is created
// only after everything in the one before it is durable.
std::string EncodeSegmentHeader(const Identity& identity, WriteSeq first);

// Appends one record to `out`. `durable`: the highest sequence known durable when this record is handed to
// the file, below `sequence`; all records of one group commit carry the same. It is what lets the scan
// tell a synced record gone bad from an unsynced write that reached the disk out of order.
void AppendRecord(std::string& out, const Identity& identity, WriteSeq sequence, WriteSeq durable,
                  uint8_t type, std::string_view body);

// "journal-00000000000000000001.wal": names sort as their first sequence numbers do.
std::string SegmentFileName(WriteSeq first);
// The inverse; nullopt for any other name.
std::optional<WriteSeq> ParseSegmentFileName(std::string_view name);

}  // namespace bt::wal
