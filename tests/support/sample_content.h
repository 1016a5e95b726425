#pragma once

// Contents that tests can make from their length alone, as metainfo_vectors.json describes them:
// file f<length>.bin has byte i = (i*7+length) mod 251.

#include <cstdint>
#include <string>

#include "core/torrent/metainfo.h"

namespace bt::test {

inline std::string SampleBytes(uint64_t length) {
  std::string bytes(length, '\0');
  for (uint64_t i = 0; i < length; ++i) bytes[i] = static_cast<char>((i * 7 + length) % 251);
  return bytes;
}

inline std::string SampleName(uint64_t length) { return "f" + std::to_string(length) + ".bin"; }

inline Metainfo SampleMetainfo(uint64_t length, uint32_t piece_length) {
  MetainfoBuilder builder(SampleName(length), length, piece_length);
  builder.Update(SampleBytes(length));
  return builder.Finish();
}

}  // namespace bt::test
