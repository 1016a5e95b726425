#include "core/wal/format.h"

#include <absl/strings/str_format.h>

#include "core/base/check.h"
#include "core/wal/layout.h"

namespace bt::wal {
namespace {

constexpr std::string_view kNamePrefix = "journal-";
constexpr std::string_view kNameSuffix = ".wal";
constexpr std::string_view kUnfinishedSuffix = ".new";
constexpr size_t kNameDigits = 20;

}  // namespace

std::string EncodeSegmentHeader(const Identity& identity, WriteSeq first, WriteSeq needed,
                                uint8_t granule_bits) {
  CHECK(needed > WriteSeq(0) && needed <= first);
  CHECK(granule_bits <= kGranuleBitsMax && size_t{1} << granule_bits >= kSegmentHeaderBytes);
  std::string header(kSegmentHeaderBytes, '\0');
  kMagic.copy(header.data(), kMagic.size());
  StoreLittle(header.data() + 8, kFormatVersion, 2);
  StoreLittle(header.data() + 10, granule_bits, 1);
  StoreLittle(header.data() + 12, identity.node.value(), 4);
  StoreLittle(header.data() + 16, identity.cluster, 8);
  StoreLittle(header.data() + 24, first.value(), 8);
  StoreLittle(header.data() + 32, needed.value(), 8);
  StoreLittle(header.data() + 40, HashBytes(std::string_view(header.data(), 40)), 8);
  return header;
}

namespace {

void Append(std::string& out, const Identity& identity, WriteSeq sequence, WriteSeq durable, uint8_t type,
            std::string_view body) {
  CHECK(sequence > durable);
  CHECK_MSG(body.size() <= kRecordBytesMax, absl::StrFormat("a record of %d bytes", body.size()));
  char header[kRecordHeaderBytes] = {};
  StoreLittle(header, body.size(), 4);
  header[4] = static_cast<char>(type);
  StoreLittle(header + 8, sequence.value(), 8);
  StoreLittle(header + 16, durable.value(), 8);
  const std::string_view checked(header, kRecordHeaderBytes - 8);
  StoreLittle(header + 24, RecordChecksum(IdentitySeed(identity), checked, body), 8);
  out.append(header, sizeof header);
  out.append(body);
}

}  // namespace

void AppendRecord(std::string& out, const Identity& identity, WriteSeq sequence, WriteSeq durable,
                  uint8_t type, std::string_view body) {
  CHECK(type != kSealType);
  Append(out, identity, sequence, durable, type, body);
}

void AppendSeal(std::string& out, const Identity& identity, WriteSeq next) {
  Append(out, identity, next, next - 1, kSealType, {});
}

std::string SegmentFileName(WriteSeq first) { return absl::StrFormat("journal-%020d.wal", first.value()); }

std::optional<WriteSeq> ParseSegmentFileName(std::string_view name) {
  if (name.size() != kNamePrefix.size() + kNameDigits + kNameSuffix.size() ||
      !name.starts_with(kNamePrefix) || !name.ends_with(kNameSuffix)) {
    return std::nullopt;
  }
  uint64_t value = 0;
  for (const char c : name.substr(kNamePrefix.size(), kNameDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (value == 0) return std::nullopt;
  return WriteSeq(value);
}

std::string UnfinishedSegmentFileName(WriteSeq first) {
  return SegmentFileName(first).append(kUnfinishedSuffix);
}

bool IsUnfinishedSegmentFileName(std::string_view name) {
  if (!name.ends_with(kUnfinishedSuffix)) return false;
  name.remove_suffix(kUnfinishedSuffix.size());
  return ParseSegmentFileName(name).has_value();
}

uint64_t RoundUpToGranule(uint64_t bytes, uint8_t granule_bits) {
  const uint64_t granule = uint64_t{1} << granule_bits;
  return (bytes + granule - 1) & ~(granule - 1);
}

uint64_t SegmentLength(uint64_t end, uint8_t granule_bits) {
  return RoundUpToGranule(end + kSealBytes, granule_bits);
}

}  // namespace bt::wal
