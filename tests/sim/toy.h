#pragma once

// A machine small enough to see the engine through: it writes down each number it is called with, tells
// its peer once that is durable, and counts what it hears.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/machine/machine.h"
#include "sim/host.h"

namespace bt::sim {

struct Stored {
  static constexpr bool kRestsOnJournal = true;
  uint64_t number = 0;

  static constexpr void Fields(auto& self, auto&& visit) { visit("number", self.number); }
};

struct ToyProtocol {
  using Message = std::variant<Stored>;
  enum class Timer : uint8_t { kPulse, kCount };
  struct Add {
    uint64_t number = 0;
  };
  using FileEffect = NoFiles;
  using FileDone = NoFiles;
  using Request = std::variant<Add>;
  using Response = std::variant<std::monostate>;
  struct Heard {
    uint64_t number = 0;
  };
  using Note = std::variant<Heard>;
};

// Broken on purpose where a test wants it.
inline uint64_t g_leak = 0;
inline bool g_leaking = false;

class Toy final {
 public:
  using Protocol = ToyProtocol;

  explicit Toy(NodeId peer) : peer_(peer) {}

  void Step(const Input<Protocol>& input, Context<Protocol>& context) {
    if (const auto* started = std::get_if<Started>(&input)) {
      for (const JournalRecord& record : started->records)
        kept_.push_back(std::stoull(std::string(record.body.view())));
      context.out.Arm(Protocol::Timer::kPulse, context.now + Milliseconds(10));
    } else if (const auto* call = std::get_if<Call<Protocol>>(&input)) {
      const uint64_t number = std::get<Protocol::Add>(call->request).number;
      const WriteSeq seq = context.out.Write(1, Slice::Copy(std::to_string(number)));
      context.out.SendAfter(peer_, Stored{number}, seq);
      kept_.push_back(number);
    } else if (const auto* done = std::get_if<WriteDone>(&input)) {
      durable_ = done->seq;
    } else if (const auto* received = std::get_if<Received<Protocol>>(&input)) {
      const uint64_t number = std::get<Stored>(received->message).number;
      heard_.push_back(g_leaking ? number + g_leak++ : number);
      context.out.Note(Protocol::Heard{number});
    } else if (std::holds_alternative<TimerFired<Protocol>>(input)) {
      ++pulses_;
      context.out.Arm(Protocol::Timer::kPulse, context.now + Milliseconds(10));
      if (g_leaking)
        context.out.Arm(Protocol::Timer::kPulse,
                        context.now + Milliseconds(10) + Nanoseconds(static_cast<int64_t>(g_leak++ % 7)));
    }
  }
  void CheckInvariants() const {}
  uint64_t Digest() const {
    RollingDigest digest;
    for (const uint64_t number : kept_) digest.Add(number);
    for (const uint64_t number : heard_) digest.Add(number);
    return digest.value();
  }

  const std::vector<uint64_t>& kept() const { return kept_; }
  const std::vector<uint64_t>& heard() const { return heard_; }
  uint64_t pulses() const { return pulses_; }
  WriteSeq durable() const { return durable_; }

 private:
  NodeId peer_;
  std::vector<uint64_t> kept_;
  std::vector<uint64_t> heard_;
  uint64_t pulses_ = 0;
  WriteSeq durable_;
};

// Node ids are endpoint numbers.
struct ToyAdaptor : DefaultAdaptor {
  NodeId peer;

  std::unique_ptr<Toy> Make(auto&) { return std::make_unique<Toy>(peer); }
  void Transmit(auto& host, NodeId to, const Slice& message) {
    host.network().Send(host.index(), to.value(), message);
  }
  void Deliver(auto& host, uint32_t from, const Slice& bytes) { host.Receive(NodeId(from), bytes); }
};

using ToyHost = Host<Toy, ToyAdaptor>;

// Two toys that talk to each other.
struct ToyPair {
  explicit ToyPair(World& world, DiskFaults disk = {}, NetworkFaults faults = {}) : network(world, faults) {
    for (uint32_t i = 0; i < 2; ++i) {
      ToyAdaptor adaptor;
      adaptor.peer = NodeId(1 - i);
      HostOptions options{.name = i == 0 ? "a" : "b", .identity = {7, NodeId(i)}, .disk = disk};
      hosts.push_back(std::make_unique<ToyHost>(world, network, nullptr, options, adaptor));
    }
    for (auto& host : hosts) host->Start();
  }
  ToyHost& a() { return *hosts[0]; }
  ToyHost& b() { return *hosts[1]; }

  Network network;
  std::vector<std::unique_ptr<ToyHost>> hosts;
};

inline void Add(ToyHost& host, uint64_t number) { host.Call(CallId(number), ToyProtocol::Add{number}); }

}  // namespace bt::sim
