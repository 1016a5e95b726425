#pragma once

// Where BEP 15 puts what, for both halves of udp_api.h. Offsets of an announce: connection 0, action 8,
// transaction 12, info-hash 16, peer id 36, downloaded 56, left 64, uploaded 72, event 80, IP 84, key 88,
// wanted 92, port 96.

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/bytes.h"
#include "nodes/udp_api/udp_api.h"

namespace bt::nodes {

inline constexpr uint64_t kConnectMagic = 0x41727101980;
inline constexpr size_t kRequestHeadBytes = 16;
inline constexpr size_t kAnnounceBytes = 98;
inline constexpr size_t kAnswerHeadBytes = 8;
inline constexpr size_t kAnnounceAnswerBytes = 20;  // without peers
inline constexpr size_t kScrapeEntryBytes = 12;

constexpr size_t PeerBytes(bool v4) { return v4 ? 6 : 18; }

inline std::string AnswerHead(UdpAction action, uint32_t transaction) {
  std::string out;
  AppendBig(out, static_cast<uint32_t>(action), 4);
  AppendBig(out, transaction, 4);
  return out;
}

}  // namespace bt::nodes
