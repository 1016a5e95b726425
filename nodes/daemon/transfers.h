#pragma once

// Transfers: everything that a daemon transfers, by id, and the state file that it goes on from. A change is
// told to be done once it is durable. Loop thread only.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/address.h"
#include "net/loop.h"
#include "nodes/client/peer_door.h"
#include "nodes/daemon/completion_hook.h"
#include "nodes/daemon/daemon_transfer.h"
#include "nodes/daemon/side_threads.h"
#include "nodes/daemon/state_file.h"

namespace bt::nodes {

class Transfers {
 public:
  using Done = std::function<void(absl::Status)>;

  // `directory`: of the state, locked. `on_complete`: see CompletionHook. `stopped` is called once after
  // Stop, when every transfer is at rest.
  Transfers(net::Loop& loop, std::string directory, DaemonState state, std::string on_complete,
            std::function<void()> stopped);
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  // Once: where peers come from now on. What was neither paused nor complete goes on.
  void Begin(std::unique_ptr<PeerDoor> door);
  const Address& listen() const { return door_->address(); }
  // For the door.
  bool HandOver(const InfoHash& hash, net::Accepted& accepted, const Address& peer);
  // Of all that run.
  std::vector<InfoHash> info_hashes() const;

  // The id of the transfer, and whether it is a new one: the same order again means the transfer that is
  // there, which begins again if it has ended. kResourceExhausted: there are kTransfersMax.
  struct Added {
    uint64_t id = 0;
    bool created = false;
  };
  void Add(Order order, std::function<void(absl::StatusOr<Added>)> done);
  // nullptr: there is none.
  const DaemonTransfer* Find(uint64_t id) const;
  DaemonTransfer* Find(uint64_t id);
  const absl::btree_map<uint64_t, std::unique_ptr<DaemonTransfer>>& all() const { return transfers_; }

  // Of transfers that are there. kFailedPrecondition: it does not fit its state.
  void Pause(uint64_t id, Done done);
  void Resume(uint64_t id, Done done);
  // Forgets it once it is at rest. What it has downloaded stays where it is, finished or not.
  void Remove(uint64_t id, Done done);
  // Bytes a second; 0: none. Of one, or of all together.
  struct Limits {
    uint64_t upload = 0;
    uint64_t download = 0;
    SeedLimits seed;
  };
  void SetLimits(uint64_t id, const Limits& limits, Done done);
  void SetLimits(const Limits& limits, Done done);
  uint64_t upload_limit() const { return upload_limit_; }
  uint64_t download_limit() const { return download_limit_; }
  const SeedLimits& seed() const { return seed_; }

  // Withdraws all claims and saves all progress. Nothing can be asked for any more.
  void Stop();
  bool stopping() const { return stopping_; }
  // Work beside the loop that a process that ends need not wait for.
  bool busy() const { return work_.busy() + writes_.busy() > 0; }

 private:
  DaemonTransfer& Make(uint64_t id, Order order);
  DaemonTransfer& At(uint64_t id) { return *transfers_.at(id); }
  DaemonState State() const;
  void Save(Done done);
  void Divide();
  void OnTick();
  void SaveCounters();
  void OnCompleted(uint64_t id);
  void Ended(uint64_t id);
  void MaybeStopped();

  net::Loop& loop_;
  const std::string directory_;
  const DaemonState begun_;
  const std::function<void()> stopped_;
  uint64_t next_id_;
  uint64_t upload_limit_;
  uint64_t download_limit_;
  SeedLimits seed_;
  bool stopping_ = false;
  bool last_saved_ = false;  // while stopping
  size_t adding_ = 0;
  SideThreads work_;    // torrents, name services, content that is looked at
  SideThreads writes_;  // one thread, so that states are written in their order
  std::unique_ptr<PeerDoor> door_;
  // As last saved: one for each of transfers_.
  std::vector<SavedTransfer> saved_;
  Instant counters_saved_;
  absl::btree_map<uint64_t, bool> paused_;  // by the user's word
  absl::btree_map<uint64_t, std::unique_ptr<DaemonTransfer>> transfers_;
  absl::btree_map<uint64_t, std::unique_ptr<DaemonTransfer>> leaving_;
  CompletionHook hook_;
  net::Timer tick_;
  net::Later later_;
};

}  // namespace bt::nodes
