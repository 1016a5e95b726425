#pragma once

// ReplicaGuest: asks the nodes of a cluster one question over their replica ports, as one that knows the
// cluster's secret and is no member. It goes round the places that it was given until an answer satisfies:
// one connection at a time, a handshake under no id (replica_handshake.h), the question, one answer, the end.
// Loop thread only.

#include <absl/status/statusor.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/slice.h"
#include "core/base/time.h"
#include "net/connection.h"
#include "net/frame_reader.h"
#include "net/loop.h"
#include "net/replica_handshake.h"
#include "net/replica_tls.h"
#include "net/resolve.h"

namespace bt::net {

struct ReplicaGuestOptions {
  uint64_t cluster = 0;
  ReplicaSecret secret{};
  const ReplicaTls* tls = nullptr;  // of kGuest; outlives it. None: connections are in clear
  uint32_t oldest_level = 0;        // that the question's sender reads, as in its handshake
  uint32_t newest_level = 0;
  std::vector<HostAndPort> places;  // where members are; not empty
  Slice question;                   // of at most kHelloBytesMax bytes
  Lookup::Resolver resolve = ResolveAll;
  Duration pause = Milliseconds(200);  // after each attempt
  Duration patience = Seconds(5);      // for an answer
  ConnectionOptions connection = {.connect = Seconds(3)};
};

class ReplicaGuest {
 public:
  // Whether the answer is the last one that is wanted. It must not destroy the guest.
  using Satisfied = std::function<bool(const HostAndPort& place, const Slice& answer)>;
  // Told of each attempt that brought no answer, and why.
  using Failed = std::function<void(const HostAndPort& place, const std::string& why)>;

  // Begins at once. Nothing is told from within here.
  ReplicaGuest(Loop& loop, ReplicaGuestOptions options, Satisfied satisfied, Failed failed);
  ReplicaGuest(const ReplicaGuest&) = delete;
  ReplicaGuest& operator=(const ReplicaGuest&) = delete;

 private:
  const HostAndPort& place() const { return options_.places[place_]; }
  void Attempt();
  void OnFound(absl::StatusOr<std::vector<Address>> found);
  void Dial();
  void OnEvent(ConnectionEvent event);
  void OnReadable();
  void OnFrame(const Slice& body);
  void GiveUp(std::string why);
  void Rest();

  Loop& loop_;
  const ReplicaGuestOptions options_;
  const Satisfied satisfied_;
  const Failed failed_;
  size_t place_ = 0;
  // lint: allow(limit): what a resolver gives for one name
  std::deque<Address> untried_;  // of the place
  std::unique_ptr<Lookup> lookup_;
  bool in_clear_ = false;  // how the connection is tried
  ConnectionOptions connection_options_;
  ConnectionCounters counters_;
  std::unique_ptr<Connection> connection_;
  FrameReader reader_;
  std::optional<ReplicaHandshake> handshake_;
  bool asked_ = false;  // the handshake is over, and the question was sent
  Timer next_;
};

}  // namespace bt::net
