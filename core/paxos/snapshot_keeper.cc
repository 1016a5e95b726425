#include "core/paxos/snapshot_keeper.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::paxos {

// What recovery needs beside the snapshot: the records of what was accepted above it. Those of this moment
// may be older than the snapshot's first part, later ones are not. The promise stands in the parts
// themselves.
void SnapshotKeeper::Save(const Beginning& at, Slice bytes, bool last, Acceptor& acceptor,
                          Outbox<Protocol>& out) {
  CHECK(bytes.size() <= kSnapshotPartBytesMax && saving_.parts.size() < kSnapshotPartsMax);
  if (complete_ || saving_.prefix != at.prefix) {
    saving_ = {at.prefix, at.stamp, at.epochs, {}};
    saving_needed_ = std::min(out.last_write().next(), acceptor.FirstRecordAbove(at.prefix.slot));
  }
  const uint32_t part = static_cast<uint32_t>(saving_.parts.size());
  saving_.parts.push_back(acceptor.WriteSnapshotPart({.prefix = at.prefix,
                                                      .stamp = at.stamp,
                                                      .epochs = saving_.epochs,
                                                      .promised = acceptor.promised(),
                                                      .part = part,
                                                      .last = last,
                                                      .bytes = std::move(bytes)},
                                                     out));
  written_ = out.last_write();
  complete_ = last;
}

bool SnapshotKeeper::OnDurable(WriteSeq durable) {
  durable_ = durable;
  if (!complete_ || writing()) return false;
  complete_ = false;
  kept_ = std::exchange(saving_, {});
  needed_ = saving_needed_;
  served_.reset();
  return true;
}

void SnapshotKeeper::Serve(NodeId peer, const AskSnapshot& ask, Context<Protocol>& context) {
  if (kept_.empty()) return;
  const uint32_t part = ask.slot == kept_.prefix.slot ? ask.part : 0;
  if (part >= kept_.parts.size()) return;
  served_ = context.now;
  context.out.Send(peer, SnapshotPart{.prefix = kept_.prefix,
                                      .stamp = kept_.stamp,
                                      .epochs = kept_.epochs,
                                      .part = part,
                                      .parts = static_cast<uint32_t>(kept_.parts.size()),
                                      .bytes = kept_.parts[part]});
}

}  // namespace bt::paxos
