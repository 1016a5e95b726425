#pragma once

// The identifiers of the house. One word for one thing: see ARCHITECTURE.md.

#include <cstdint>

#include "core/base/tagged.h"

namespace bt {

using NodeId = Tagged<struct NodeIdTag, uint32_t>;  // one process that runs a machine; a replica's id
using Slot = Tagged<struct SlotTag, uint64_t>;      // position in the replicated log, from 1; 0 = none
using WriteSeq =
    Tagged<struct WriteSeqTag, uint64_t>;           // a journal record's sequence number, from 1; 0 = none
using CallId = Tagged<struct CallIdTag, uint64_t>;  // a request by the local user or an edge
using LinkId = Tagged<struct LinkIdTag, uint64_t>;  // a byte-stream connection; kInboundLink bit: accepted
using FileId = Tagged<struct FileIdTag, uint32_t>;  // a file the machine works on
using SessionId = Tagged<struct SessionIdTag, uint64_t>;  // an exactly-once session of the replicated log

// Links the machine opened have this bit clear (the machine picks the id); accepted links have it set.
inline constexpr uint64_t kInboundLink = uint64_t{1} << 63;

}  // namespace bt
