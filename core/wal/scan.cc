#include "core/wal/scan.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/wal/layout.h"

namespace bt::wal {
namespace {

struct SegmentHeader {
  uint64_t version = 0;
  uint8_t granule_bits = 0;
  Identity owner;
  WriteSeq first;
  WriteSeq needed;
};

// nullopt: too short, not the magic, or damaged.
std::optional<SegmentHeader> ReadSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  // Up to version 2 no needed sequence stood before the checksum.
  const size_t checksum = LoadLittle(bytes.data() + 8, 2) <= 2 ? 32 : 40;
  if (LoadLittle(bytes.data() + checksum, 8) != HashBytes(bytes.substr(0, checksum))) return std::nullopt;
  return SegmentHeader{.version = LoadLittle(bytes.data() + 8, 2),
                       .granule_bits = static_cast<uint8_t>(bytes[10]),
                       .owner = {LoadLittle(bytes.data() + 16, 8),
                                 NodeId(static_cast<uint32_t>(LoadLittle(bytes.data() + 12, 4)))},
                       .first = WriteSeq(LoadLittle(bytes.data() + 24, 8)),
                       .needed = WriteSeq(LoadLittle(bytes.data() + 32, 8))};
}

struct RecordView {
  uint8_t type = 0;
  WriteSeq sequence;
  WriteSeq durable;
  size_t body = 0;  // offset in the segment
  size_t length = 0;

  size_t end() const { return body + length; }
};

// The record at `offset` if all of it is there and its checksum is right.
std::optional<RecordView> ReadRecord(std::string_view bytes, size_t offset, uint64_t seed) {
  if (bytes.size() - offset < kRecordHeaderBytes) return std::nullopt;
  const char* header = bytes.data() + offset;
  const size_t length = LoadLittle(header, 4);
  if (length > kRecordBytesMax || length > bytes.size() - offset - kRecordHeaderBytes) return std::nullopt;
  if (LoadLittle(header + 5, 3) != 0) return std::nullopt;
  const RecordView record{.type = static_cast<uint8_t>(header[4]),
                          .sequence = WriteSeq(LoadLittle(header + 8, 8)),
                          .durable = WriteSeq(LoadLittle(header + 16, 8)),
                          .body = offset + kRecordHeaderBytes,
                          .length = length};
  const std::string_view checked(header, kRecordHeaderBytes - 8);
  const uint64_t checksum = RecordChecksum(seed, checked, bytes.substr(record.body, length));
  if (checksum != LoadLittle(header + 24, 8)) return std::nullopt;
  return record;
}

// Is there, after the bad bytes at `offset`, a good record that was written when `bad` was already
// durable? Its sequence is at most `highest`. The header's own fields are compared first, so that few
// offsets cost a checksum.
bool LaterRecordProvesDurable(std::string_view bytes, size_t offset, WriteSeq bad, WriteSeq highest,
                              uint64_t seed) {
  for (size_t at = offset + 1; at + kRecordHeaderBytes <= bytes.size(); ++at) {
    const WriteSeq sequence(LoadLittle(bytes.data() + at + 8, 8));
    if (sequence <= bad || sequence > highest) continue;
    const WriteSeq durable(LoadLittle(bytes.data() + at + 16, 8));
    if (durable < bad || durable >= sequence) continue;
    if (ReadRecord(bytes, at, seed)) return true;
  }
  return false;
}

bool AllZero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

}  // namespace

Scanner::Scanner(const Identity& identity, std::vector<Slice> headers, Slice last,
                 std::span<const WriteSeq> names)
    : identity_(identity),
      seed_(IdentitySeed(identity)),
      headers_(std::move(headers)),
      last_(std::move(last)) {
  FindBeginning(names);
}

void Scanner::Read(const Slice& segment) {
  CHECK(!done_);
  result_.segment = next_++;
  result_.offset = 0;
  done_ = !ReadHeader(segment.view()) || !ReadRecords(segment) || next_ == headers_.size();
}

// The segment behind this one is the last, and no record was ever written to it. It was made when
// everything here was durable, the seal excepted.
bool Scanner::NextIsBlank() const {
  if (result_.segment + 2 != headers_.size()) return false;
  const std::string_view next = last_.view();
  const std::optional<SegmentHeader> header = ReadSegmentHeader(next);
  return header && header->first == result_.last.next() && AllZero(next.substr(kSegmentHeaderBytes));
}

// Reads the needed sequence; the first segment to be read is the last one that begins at or below it, with
// none before it that begins above it. Headers that cannot be read are left to ReadHeader, where they matter.
void Scanner::FindBeginning(std::span<const WriteSeq> names) {
  std::vector<std::optional<SegmentHeader>> headers;
  for (const Slice& segment : headers_) {
    headers.push_back(ReadSegmentHeader(segment.view()));
    const std::optional<SegmentHeader>& header = headers.back();
    if (!header || header->version != kFormatVersion || header->owner != identity_) continue;
    result_.needed = std::max(result_.needed, header->needed);
    if (names.empty() || header->first == names[headers.size() - 1]) continue;
    result_.segment = headers.size() - 1;
    Stop(Verdict::kCorrupt,
         absl::StrCat("the file is named for record ", names[result_.segment].value(), " and begins with ",
                      header->first.value(), ": it is another segment's"));
    done_ = true;
    return;
  }
  for (size_t i = 0; i < headers.size(); ++i) {
    if (!headers[i]) continue;
    if (headers[i]->first > result_.needed) break;
    beginning_ = i;
  }
  next_ = beginning_;
  done_ = headers_.empty();
}

bool Scanner::Stop(Verdict verdict, std::string why) {
  result_.verdict = verdict;
  result_.why = absl::StrCat(why, " (segment ", result_.segment, ", byte ", result_.offset, ")");
  return false;
}

bool Scanner::ReadHeader(std::string_view bytes) {
  const std::optional<SegmentHeader> header = ReadSegmentHeader(bytes);
  // A segment gets its name only when its header is durable, so no crash leaves a damaged one.
  if (!header) return Stop(Verdict::kCorrupt, "the segment's header is damaged");
  if (header->version != kFormatVersion) {
    return Stop(Verdict::kForeign,
                absl::StrCat("format version ", header->version, ", this program reads ", kFormatVersion));
  }
  if (header->owner != identity_) {
    return Stop(Verdict::kForeign,
                absl::StrCat("the journal belongs to node ", header->owner.node.value(), " of cluster ",
                             absl::Hex(header->owner.cluster), ", not to node ", identity_.node.value(),
                             " of cluster ", absl::Hex(identity_.cluster)));
  }
  const bool begins = result_.segment == beginning_;
  // The journal may begin anywhere up to the record that is needed, and not above it.
  if (begins) result_.last = std::min(header->first, result_.needed) - 1;
  const WriteSeq next = result_.last.next();
  if (header->first != next) {
    return Stop(Verdict::kCorrupt,
                absl::StrCat("the segment begins at record ", header->first.value(), " where ", next.value(),
                             " was expected", begins ? ": the first segment is gone" : ""));
  }
  if (header->granule_bits > kGranuleBitsMax) {
    return Stop(Verdict::kCorrupt, "the segment's header names a granule that cannot be");
  }
  result_.granule_bits = header->granule_bits;
  result_.offset = kSegmentHeaderBytes;
  ends_.clear();
  result_.durable_end = kSegmentHeaderBytes;
  return true;
}

bool Scanner::ReadRecords(const Slice& segment) {
  const std::string_view bytes = segment.view();
  const WriteSeq first = result_.last.next();
  while (const std::optional<RecordView> record = ReadRecord(bytes, result_.offset, seed_)) {
    const WriteSeq expected = result_.last.next();
    // A whole record in another's place was not torn: its place is fixed by what is before it.
    if (record->sequence != expected || record->durable >= record->sequence) {
      return Stop(Verdict::kCorrupt, absl::StrCat("record ", record->sequence.value(), " stands where ",
                                                  expected.value(), " was expected"));
    }
    if (record->type == kSealType) return ReadBehindSeal(bytes, record->end());
    if (record->durable >= first) result_.durable_end = ends_[record->durable - first];
    ends_.push_back(record->end());
    result_.records.push_back({expected, record->type, segment.Sub(record->body, record->length)});
    result_.last = expected;
    result_.offset = record->end();
  }
  return ReadTail(bytes);
}

bool Scanner::HasItsLength(std::string_view bytes) {
  // A later segment was created when everything here was durable; otherwise a record says what was.
  const uint64_t durable_end = last_segment() ? result_.durable_end : result_.offset;
  const uint64_t length_min = SegmentLength(durable_end, result_.granule_bits);
  if (bytes.size() >= length_min) return true;
  return Stop(Verdict::kCorrupt, absl::StrCat("the file has ", bytes.size(), " bytes and had at least ",
                                              length_min, ": its end is gone"));
}

// The seal begins at result_.offset and ends at `end`.
bool Scanner::ReadBehindSeal(std::string_view bytes, uint64_t end) {
  if (!HasItsLength(bytes)) return false;
  if (!AllZero(bytes.substr(end))) {
    return Stop(Verdict::kCorrupt, "something stands behind the segment's seal");
  }
  if (last_segment()) {
    return Stop(Verdict::kCorrupt,
                absl::StrCat("the segment is sealed, and the one behind it, which began with record ",
                             result_.last.next().value(), ", is gone"));
  }
  if (NextIsBlank()) result_.seal = result_.offset;
  return true;
}

// No record begins at result_.offset.
bool Scanner::ReadTail(std::string_view bytes) {
  if (!HasItsLength(bytes)) return false;
  if (last_segment() && AllZero(bytes.substr(result_.offset))) return true;
  constexpr const char* kWhat = "a record is incomplete or damaged";
  const WriteSeq expected = result_.last.next();
  if (!last_segment()) {
    // HasItsLength: there is room for the seal.
    if (NextIsBlank() && AllZero(bytes.substr(result_.offset + kSealBytes))) {
      result_.seal = result_.offset;
      return true;
    }
    return Stop(Verdict::kCorrupt, absl::StrCat(kWhat, " before a later segment"));
  }
  if (LaterRecordProvesDurable(bytes, result_.offset, expected, expected + bytes.size() / kRecordHeaderBytes,
                               seed_)) {
    return Stop(Verdict::kCorrupt, absl::StrCat(kWhat, ", and a later record says it had been durable"));
  }
  return Stop(Verdict::kTorn, absl::StrCat(kWhat, ", and nothing says it had been durable"));
}

ScanResult Scan(std::span<const Slice> segments, const Identity& identity, std::span<const WriteSeq> names) {
  std::vector<Slice> headers;
  for (const Slice& segment : segments) {
    headers.push_back(segment.Sub(0, std::min(segment.size(), kSegmentHeaderBytes)));
  }
  Scanner scanner(identity, std::move(headers), segments.empty() ? Slice() : segments.back(), names);
  while (!scanner.done()) scanner.Read(segments[scanner.next()]);
  return scanner.TakeResult();
}

}  // namespace bt::wal
