#pragma once

// Byte offsets and checksums shared by the writer and the scan; private to core/wal.

#include <cstdint>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "core/wal/format.h"

namespace bt::wal {

inline constexpr std::string_view kMagic = "BtWal\r\n\x1a";

inline uint64_t IdentitySeed(const Identity& identity) {
  char bytes[12];
  StoreLittle(bytes, identity.cluster, 8);
  StoreLittle(bytes + 8, identity.node.value(), 4);
  return HashBytes(std::string_view(bytes, sizeof bytes));
}

// `header`: the kRecordHeaderBytes - 8 bytes before the checksum.
inline uint64_t RecordChecksum(uint64_t identity_seed, std::string_view header, std::string_view body) {
  return HashBytes(body, HashBytes(header, identity_seed));
}

}  // namespace bt::wal
