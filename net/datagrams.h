#pragma once

// DatagramSocket: a UDP socket on the loop. It reads and writes in batches (recvmmsg, sendmmsg), a bounded
// number of datagrams per wake-up, and loses what it has no room for, as the network would. An answer leaves
// from the address that was asked. Loop thread only.

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

inline constexpr size_t kDatagramLimit = 2048;  // bytes; a longer one is dropped

// The two ends of a datagram that has come in.
struct DatagramRoute {
  Address peer;
  uint32_t scope = 0;               // of a link-local IPv6 peer: its interface
  std::array<uint8_t, 16> local{};  // of this machine; all zeros: whatever the kernel takes
};

struct DatagramCounters {
  uint64_t received = 0;
  uint64_t received_bytes = 0;
  uint64_t sent = 0;
  uint64_t sent_bytes = 0;
  uint64_t oversized = 0;  // longer than kDatagramLimit
  uint64_t unsent = 0;     // the kernel had no room for them, or did not like their address
};

// A bound socket; port 0 picks a free one. Errors as of Listen.
absl::StatusOr<Listener> BindDatagrams(const Address& address);

class DatagramSocket {
 public:
  // Must not destroy the socket. `bytes` are valid during the call.
  using Take = std::function<void(const DatagramRoute& route, std::string_view bytes)>;

  DatagramSocket(Loop& loop, Listener bound, Take take);

  const Address& address() const { return bound_.address; }
  const DatagramCounters& counters() const { return counters_; }

  // What comes from now on is left to the kernel.
  void StopReading() { watcher_.SetEvents(0); }
  // Sent at the end of the loop's iteration at the latest. At most kDatagramLimit bytes.
  void Send(const DatagramRoute& to, std::string_view bytes);

 private:
  struct Batch;
  struct Queued {
    DatagramRoute to;
    size_t begin;
    size_t size;
  };

  void ReadMany();
  bool ReadBatch();
  void Flush();

  Listener bound_;
  const bool v6_;  // the socket's family; an IPv4 peer of an IPv6 socket is addressed as a mapped one
  Take take_;
  DatagramCounters counters_;
  std::shared_ptr<Batch> batch_;  // what the system calls are given, made once
  std::vector<Queued> queue_;     // at most kBatch
  std::vector<char> queued_;      // their bytes; at most kBatch of kDatagramLimit
  Watcher watcher_;
  Deferred flush_;
};

}  // namespace bt::net
