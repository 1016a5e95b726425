#pragma once

// How large an answer that lists gets. The registry cuts a list before it exceeds kListedBytesLimit, so that
// neither the step that makes the answer nor the buffers it goes through depend on what strangers have
// claimed. Invariant: the JSON of an entry (nodes/http_api/json_api.h), the largest form in which an answer
// travels, is at most ListedBytes long. For the registry and the edge's JSON.

#include <cstdint>

#include "core/tracker_api/answers.h"

namespace bt::tracker_api {

// The entries of one answer together; what stands around them is below 1 KiB.
inline constexpr uint64_t kListedBytesLimit = (256 << 10) - 1024;

uint64_t ListedBytes(const PeerClaim& claim);
uint64_t ListedBytes(const ListEntry& entry);

// Pieces are written as ranges or, when that is shorter, as a bitfield in base64.
bool ShorterAsBitfield(const PieceMap& pieces);

}  // namespace bt::tracker_api
