#include "core/paxos/snapshot_fetch.h"

#include <utility>

namespace bt::paxos {

void SnapshotFetch::Begin(NodeId peer, Context<Protocol>& context) {
  if (active()) return;
  peer_ = peer;
  Ask(context);
}

// Parts of one snapshot alone are put together. Two replicas' snapshots of one prefix hold the same state,
// but are cut into parts at other places; so all come from one peer, and a part of another prefix than was
// begun counts only where it is a first one.
void SnapshotFetch::OnPart(NodeId from, const SnapshotPart& message, Slot chosen,
                           Context<Protocol>& context) {
  if (!active() || whole_ || from != *peer_) return;
  const bool first = message.part == 0 && message.prefix != snapshot_.prefix;
  if (first) {
    snapshot_ = {message.prefix, message.stamp, message.epochs, {}};
    bytes_ = 0;
  }
  // A part that was counted already, or of another snapshot than the one begun.
  if (message.prefix != snapshot_.prefix || message.part != snapshot_.parts.size()) return;
  bytes_ += message.bytes.size();
  const bool possible = message.parts <= kSnapshotPartsMax && message.part < message.parts &&
                        message.bytes.size() <= kSnapshotPartBytesMax && bytes_ <= kSnapshotBytesMax &&
                        AreEpochs(message.epochs);
  if (!possible || message.prefix.slot <= chosen) {  // or the log was faster
    End(context.out);
    return;
  }
  snapshot_.parts.push_back(message.bytes);
  tries_ = 0;
  whole_ = snapshot_.parts.size() == message.parts;
  if (whole_) {
    context.out.Disarm(Protocol::Timer::kSnapshot);
  } else {
    Ask(context);
  }
}

// Catch-up goes on asking other peers meanwhile, and says again where a snapshot is to be had.
void SnapshotFetch::OnTimer(Context<Protocol>& context) {
  if (!active() || whole_) return;
  if (++tries_ < kTriesMax) return Ask(context);
  End(context.out);
}

Snapshot SnapshotFetch::End(Outbox<Protocol>& out) {
  out.Disarm(Protocol::Timer::kSnapshot);
  peer_.reset();
  whole_ = false;
  tries_ = 0;
  return std::exchange(snapshot_, {});
}

void SnapshotFetch::Ask(Context<Protocol>& context) {
  context.out.Send(*peer_, AskSnapshot{snapshot_.prefix.slot, static_cast<uint32_t>(snapshot_.parts.size())});
  context.out.Arm(Protocol::Timer::kSnapshot, context.now + config_.retry);
}

}  // namespace bt::paxos
