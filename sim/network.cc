#include "sim/network.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::sim {
namespace {

constexpr uint64_t kMillion = 1'000'000;
// Of a frame and its packets' headers, where a way has a rate.
constexpr size_t kOverhead = 70;

}  // namespace

uint32_t Network::Attach(Endpoint* endpoint) {
  endpoints_.push_back(endpoint);
  return static_cast<uint32_t>(endpoints_.size() - 1);
}

Network::Way& Network::Between(uint32_t from, uint32_t to) {
  std::unique_ptr<Way>& way = ways_[{from, to}];
  if (way == nullptr) way = std::make_unique<Way>(world_.Stream("network from", from).Fork("to", to));
  return *way;
}

void Network::Send(uint32_t from, uint32_t to, Slice bytes) {
  CHECK(to < endpoints_.size());
  ++sent_;
  Way& way = Between(from, to);
  if (way.cut) return;
  if (!way.healed) {
    for (const uint32_t drop_ppm : {faults_.drop_ppm, way.drop_ppm}) {
      if (drop_ppm > 0 && way.drops.Chance(drop_ppm, kMillion)) return world_.Count(Fault::kDrop, {from, to});
    }
    if (faults_.duplicate_ppm > 0 && way.duplicates.Chance(faults_.duplicate_ppm, kMillion)) {
      world_.Count(Fault::kDuplicate, {from, to});
      Launch(way, from, to, bytes);
    }
  }
  Launch(way, from, to, std::move(bytes));
}

void Network::Launch(Way& way, uint32_t from, uint32_t to, Slice bytes) {
  Duration delay = way.delays.Between(faults_.latency_min, faults_.latency_max) + way.extra;
  if (!way.healed && faults_.reorder_ppm > 0 && way.reorders.Chance(faults_.reorder_ppm, kMillion)) {
    world_.Count(Fault::kReorder, {from, to});
    delay = delay + way.delays.Between(Duration{0}, faults_.reorder_extra_max);
  }
  if (way.bytes_per_second > 0) {
    const int64_t size = static_cast<int64_t>(kOverhead + bytes.size());
    way.free =
        std::max(way.free, world_.now()) + Seconds(1) * size / static_cast<int64_t>(way.bytes_per_second);
    delay = delay + (way.free - world_.now());
  }
  const uint32_t message = messages_.Take();
  messages_[message] = {from, to, std::move(bytes)};
  world_.After(delay, this, message);
}

void Network::Fire(uint64_t argument) {
  // Out of the map first: delivering may send, and move what the map holds.
  const uint32_t number = static_cast<uint32_t>(argument);
  const InFlight message = std::exchange(messages_[number], {});
  messages_.GiveBack(number);
  endpoints_[message.to]->Deliver(message.from, message.bytes);
}

void Network::Heal(const std::vector<uint32_t>& members) {
  for (const uint32_t from : members) {
    for (const uint32_t to : members) {
      Way& way = Between(from, to);
      way.cut = false;
      way.healed = true;
      way.extra = Duration{0};
    }
  }
}

void Network::Isolate(uint32_t member) {
  for (uint32_t other = 0; other < endpoints_.size(); ++other) {
    Between(member, other).cut = true;
    Between(other, member).cut = true;
  }
}

}  // namespace bt::sim
