#pragma once

// Examiners: a handful of well-behaved downloaders by script that try one honest client which offers, in a
// world that has been healed. Each holds it to the peer wire (wire_rules.h); together they see how it shares
// its slots: that it unchokes as many as it has slots for and no more, and not always the same. They take
// blocks slowly, so that whoever is choked has a reason to be unchoked.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/check/swarm_integrity.h"
#include "sim/network.h"
#include "sim/scenarios/wire_rules.h"
#include "sim/streams.h"
#include "sim/world.h"

namespace bt::sim {

class Examiners final : public EventSink {
 public:
  struct Candidate {
    std::string name;
    Address address;
    uint32_t slots = 0;
    bool whole = false;  // it has everything, and so gives its slots to those who took least
    Duration choke_interval;
    // Peers that want something of it, these examiners included.
    std::function<uint32_t()> interested;
  };
  Examiners(World& world, Network& network, Streams& streams, const SwarmIntegrity& truth,
            Candidate candidate);
  ~Examiners();

  // They connect, and ask for blocks for `asking_time()`.
  void Begin();
  Duration asking_time() const;
  // From now on they only wait for answers.
  void End() { ending_ = true; }
  // Nobody waits for an answer.
  bool answered() const;
  // After all that: its slots have moved on, if it has everything.
  void Judge() const;

  void Fire(uint64_t argument) override;

 private:
  class Examiner;
  static constexpr uint32_t kContendedSlots = 6;  // more than so many slots are not filled

  void JudgeSlots();
  void Fail(const std::string& what) const;

  World& world_;
  Candidate candidate_;
  RandomStream rng_;
  std::vector<std::unique_ptr<Examiner>> examiners_;
  Instant ready_ = Instant::Never();  // when all of them had said that they are interested
  uint32_t turns_ = 0;                // chokes and unchokes so far
  uint32_t turns_before_ = 0;         // ... when the slots were looked at last
  bool alone_ = true;                 // nobody else was interested at any time
  bool ending_ = false;
};

}  // namespace bt::sim
