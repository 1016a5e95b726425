#pragma once

// Network: unordered, unreliable messages between the endpoints of a world. Bytes are shared, never
// copied. A way may have a rate: then its messages leave one after the other, each when all before it have,
// and what waits is unbounded, as in a sender's socket with a large buffer. Each directed pair has a random
// stream of its own, so that traffic on one link disturbs the draws of no other.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/slice.h"
#include "core/base/slot_map.h"
#include "sim/world.h"

namespace bt::sim {

class Endpoint {
 public:
  virtual void Deliver(uint32_t from, const Slice& bytes) = 0;

 protected:
  ~Endpoint() = default;
};

// Rates are out of a million messages; 0 turns the fault off.
struct NetworkFaults {
  Duration latency_min = Microseconds(50);
  Duration latency_max = Microseconds(500);
  uint32_t drop_ppm = 0;
  uint32_t duplicate_ppm = 0;
  uint32_t reorder_ppm = 0;
  Duration reorder_extra_max = Milliseconds(100);
};

class Network final : public EventSink {
 public:
  Network(World& world, NetworkFaults faults) : world_(world), faults_(faults) {}

  // The endpoint's number: dense from 0.
  uint32_t Attach(Endpoint* endpoint);
  size_t size() const { return endpoints_.size(); }
  void Send(uint32_t from, uint32_t to, Slice bytes);

  // Cuts the way from -> to (messages already under way still arrive), or mends it.
  void Cut(uint32_t from, uint32_t to, bool cut) { Between(from, to).cut = cut; }
  bool IsCut(uint32_t from, uint32_t to) { return Between(from, to).cut; }
  void Slow(uint32_t from, uint32_t to, Duration extra) { Between(from, to).extra = extra; }
  // Loses this share of the messages, out of a million, beside the general rate.
  void Break(uint32_t from, uint32_t to, uint32_t drop_ppm) { Between(from, to).drop_ppm = drop_ppm; }
  // The way's rate from here on; 0: without a limit.
  void Limit(uint32_t from, uint32_t to, uint64_t bytes_per_second) {
    Between(from, to).bytes_per_second = bytes_per_second;
  }
  // No more faults of any kind between these endpoints, and every link between them mended.
  void Heal(const std::vector<uint32_t>& members);
  // Cuts everything from and to `member`, for good.
  void Isolate(uint32_t member);

  uint64_t sent() const { return sent_; }
  uint64_t in_flight() const { return messages_.size(); }

  void Fire(uint64_t message) override;

 private:
  // A stream for each kind of draw: a message that is not lost any more changes no other's delay.
  struct Way {
    explicit Way(const RandomStream& rng)
        : drops(rng.Fork("drop")),
          duplicates(rng.Fork("duplicate")),
          delays(rng.Fork("delay")),
          reorders(rng.Fork("reorder")) {}

    RandomStream drops;
    RandomStream duplicates;
    RandomStream delays;
    RandomStream reorders;
    bool cut = false;
    bool healed = false;
    Duration extra{0};
    uint32_t drop_ppm = 0;
    uint64_t bytes_per_second = 0;
    Instant free;  // everything before has left
  };
  struct InFlight {
    uint32_t from = 0;
    uint32_t to = 0;
    Slice bytes;
  };
  Way& Between(uint32_t from, uint32_t to);
  void Launch(Way& way, uint32_t from, uint32_t to, Slice bytes);

  World& world_;
  NetworkFaults faults_;
  std::vector<Endpoint*> endpoints_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Way>> ways_;  // look-up only
  SlotMap<InFlight> messages_;
  uint64_t sent_ = 0;
};

}  // namespace bt::sim
