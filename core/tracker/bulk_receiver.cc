#include "core/tracker/bulk_receiver.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/check.h"

namespace bt::tracker {
namespace {

// A message of which nothing has come for so long makes room for another where there is none.
constexpr Duration kMakesRoom = Seconds(1);

bool IsPossible(const Chunk& chunk) {
  return !chunk.bytes.empty() && chunk.size <= kLongMessageBytesMax && chunk.bytes.size() <= chunk.size &&
         chunk.offset <= chunk.size - chunk.bytes.size();
}

// Whether [offset, offset + size) touches none of the parts.
bool IsNew(const absl::btree_map<uint64_t, uint64_t>& parts, uint64_t offset, uint64_t size) {
  const auto next = parts.lower_bound(offset);
  if (next != parts.end() && next->first < offset + size) return false;
  return next == parts.begin() || std::prev(next)->first + std::prev(next)->second <= offset;
}

}  // namespace

const BulkReceiver::Delivered* BulkReceiver::FindDelivered(uint64_t message) const {
  const auto found = std::find_if(delivered_.begin(), delivered_.end(),
                                  [&](const Delivered& one) { return one.message == message; });
  return found == delivered_.end() ? nullptr : &*found;
}

BulkReceiver::Assembly* BulkReceiver::FindOrBegin(const Chunk& chunk, Instant now) {
  if (const auto found = assemblies_.find(chunk.message); found != assemblies_.end()) {
    return found->second.bytes.size() == chunk.size ? &found->second : nullptr;
  }
  const auto forget = [&](Duration idle) {
    absl::erase_if(assemblies_, [&](const auto& entry) {
      if (now - entry.second.touched < idle) return false;
      held_bytes_ -= entry.second.bytes.size();
      return true;
    });
  };
  const auto has_room = [&] {
    return assemblies_.empty() || (assemblies_.size() < config_.bulk_messages_max &&
                                   held_bytes_ + chunk.size <= config_.bulk_queued_bytes_max);
  };
  forget(config_.bulk_idle);
  // The sender may have given up some of what was begun, and sends in order: it would wait for the room that
  // they take. What it has not given up begins anew.
  if (!has_room()) forget(kMakesRoom);
  if (!has_room()) return nullptr;
  Assembly& assembly = assemblies_[chunk.message];
  assembly.number = next_assembly_++;
  assembly.bytes.resize(chunk.size);
  held_bytes_ += chunk.size;
  most_held_.Note(assemblies_.size());
  most_held_bytes_.Note(held_bytes_);
  return &assembly;
}

BulkReceiver::Taken BulkReceiver::Take(const Chunk& chunk, Instant now) {
  Taken taken;
  ChunkAck ack{.message = chunk.message, .offset = chunk.offset};
  if (const Delivered* delivered = FindDelivered(chunk.message)) {
    ack.assembly = delivered->assembly;
    taken.ack = ack;
    return taken;
  }
  Assembly* assembly = IsPossible(chunk) ? FindOrBegin(chunk, now) : nullptr;
  if (assembly == nullptr) {
    ++refused_;
    return taken;
  }
  assembly->touched = now;
  if (IsNew(assembly->parts, chunk.offset, chunk.bytes.size())) {
    assembly->parts.emplace(chunk.offset, chunk.bytes.size());
    assembly->received += chunk.bytes.size();
    chunk.bytes.view().copy(assembly->bytes.data() + chunk.offset, chunk.bytes.size());
  }
  ack.assembly = assembly->number;
  taken.ack = ack;
  if (assembly->received < chunk.size) return taken;
  held_bytes_ -= chunk.size;
  delivered_.push_back({chunk.message, assembly->number});
  if (delivered_.size() > kDeliveredMax) delivered_.pop_front();
  taken.message = Slice::Own(std::move(assembly->bytes));
  assemblies_.erase(chunk.message);
  return taken;
}

std::optional<Slice> BulkReceiver::Completes(const Chunk& chunk) const {
  if (!IsPossible(chunk) || FindDelivered(chunk.message) != nullptr) return std::nullopt;
  if (chunk.bytes.size() == chunk.size) return chunk.bytes;
  const auto found = assemblies_.find(chunk.message);
  if (found == assemblies_.end()) return std::nullopt;
  const Assembly& assembly = found->second;
  if (assembly.bytes.size() != chunk.size || assembly.received + chunk.bytes.size() != chunk.size)
    return std::nullopt;
  if (!IsNew(assembly.parts, chunk.offset, chunk.bytes.size())) return std::nullopt;
  std::string bytes = assembly.bytes;
  chunk.bytes.view().copy(bytes.data() + chunk.offset, chunk.bytes.size());
  return Slice::Own(std::move(bytes));
}

void BulkReceiver::CheckInvariants() const {
  CHECK(assemblies_.size() <= std::max<size_t>(config_.bulk_messages_max, 1));
  CHECK(held_bytes_ <= config_.bulk_queued_bytes_max || assemblies_.size() == 1);
}

}  // namespace bt::tracker
