#pragma once

// DaemonTransfer: one order of a daemon from its beginning to its end, through pauses and failures: it
// prepares the order beside the loop, hosts its machine, and knows what to say of it. Loop thread only.

#include <absl/container/btree_set.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "core/tracker_api/tracker_api.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "nodes/client/hosted_transfer.h"
#include "nodes/client/prepare.h"
#include "nodes/daemon/finished_content.h"
#include "nodes/daemon/order.h"
#include "nodes/daemon/side_threads.h"
#include "nodes/daemon/state_file.h"
#include "nodes/shared/json_text.h"

namespace bt::nodes {

// What of a transfer changes from second to second.
struct TransferRates {
  uint64_t received = 0;  // bytes a second, smoothed
  uint64_t sent = 0;
};

class DaemonTransfer {
 public:
  enum class State : uint8_t {
    kPreparing,  // its torrent is read, its trackers are looked up
    kRunning,
    kLooking,   // whether what lies at its target is the torrent's content
    kStopping,  // its machine withdraws and saves
    kPaused,
    kComplete,
    kFailed,
  };
  struct Surroundings {
    net::Loop& loop;
    SideThreads& side;            // outlives the transfer
    std::string torrent;          // the daemon's copy of the torrent file
    Address listen;               // where the peers of all transfers come
    const SeedLimits& seed;       // of transfers that say none of their own; outlives the transfer
    std::function<void()> saved;  // complete() is another one from now on
    // A download is whole, for the first time.
    std::function<void(uint64_t id)> completed;
  };

  DaemonTransfer(uint64_t id, Order order, Surroundings surroundings);
  DaemonTransfer(const DaemonTransfer&) = delete;
  DaemonTransfer& operator=(const DaemonTransfer&) = delete;

  uint64_t id() const { return id_; }
  const Order& order() const { return order_; }
  const std::string& name() const { return name_; }
  const std::string& target() const { return target_; }
  State state() const { return state_; }
  // Done, and not to be begun again with the daemon.
  bool complete() const { return complete_; }

  // In any state: once it is neither prepared nor run it begins.
  void Begin();
  // As it was left by an earlier life; before it begins.
  void Restore(const SavedTransfer& saved);
  // As it is now, `paused` being the user's matter.
  SavedTransfer ToSave(bool paused) const;
  // It has seed limits, and has come nearer to them since `earlier`.
  bool HasCounted(const SavedTransfer& earlier) const;
  void Pause();
  // `ended` is called once it is at rest, not from within here; the transfer may be destroyed then.
  void End(std::function<void()> ended);

  bool Means(const InfoHash& hash) const;
  void Adopt(net::Accepted accepted, const Address& peer) { hosted_->Adopt(std::move(accepted), peer); }
  // While it runs: of its torrent.
  std::vector<InfoHash> info_hashes() const;

  // What its content is made of; nullptr: not known yet, or (MayBeRead) any more.
  const swarm::OpenFile* content() const;
  // Ok while bytes that cannot be read yet may still come. kFailedPrecondition: none will as it is now.
  absl::Status MayBeRead() const;
  // As HostedTransfer::Readable.
  net::FileRange Readable(uint64_t offset, uint64_t most);
  // Names this content to those who keep a part of it; empty: not known yet.
  const std::string& content_id() const { return content_; }

  // Its share of the daemon's limits, bytes a second; 0: none.
  void SetShare(uint64_t upload, uint64_t download);
  void SetOwnLimits(uint64_t upload, uint64_t download, const SeedLimits& seed);
  // Once a second: rates are measured, and who waits for too long gives up.
  void Tick(Instant now);
  bool running() const { return state_ == State::kRunning; }
  const TransferRates& rates() const { return rates_; }

  // As GET /transfers/ID says it (docs/daemon.md).
  Json ToJson() const;

 private:
  // What comes once its machine has stopped.
  enum class Then : uint8_t { kFail, kBegin, kPause, kLook, kComplete };

  void OnPrepared(Prepared prepared);
  void Start(HostedSetup setup);
  void OnNote(const swarm::Protocol::Note& note);
  void Known(const swarm::TorrentKnown& note);
  void Fail(std::string reason, ExitStatus exit);
  void ForgetError();
  void Stop(Then then);
  void TellCompleted();
  void AfterStop();
  void Look();
  void OnLooked(bool holds);
  uint64_t sent() const;
  void CountOffering(Instant now);
  void KeepReadable();
  void Rest(State state);
  void SetComplete(bool complete);
  const char* StateName() const;

  const uint64_t id_;
  Order order_;
  const Surroundings surroundings_;
  State state_ = State::kPaused;
  Then then_ = Then::kFail;
  bool complete_ = false;
  bool completed_ = false;  // a download that was whole once
  bool seeded_ = false;     // complete because a seed limit was reached
  uint64_t sent_ = 0;       // bytes to peers by machines that are gone
  Duration offered_for_{};  // whole
  std::function<void()> ended_;
  uint64_t turn_ = 0;  // what was begun beside the loop in an earlier one does not matter any more

  HostedSetup kept_;  // what the machine was made of, without its torrent
  std::unique_ptr<HostedTransfer> hosted_;
  std::optional<TrackerTroubles> troubles_;
  std::optional<Metainfo> found_;  // of a download: what its target may hold already
  std::optional<swarm::Selection> selection_;
  bool target_taken_ = false;
  std::optional<swarm::OpenFile> files_;       // of the content, once the machine is gone
  std::unique_ptr<FinishedContent> finished_;  // while all of it is there, and no machine

  std::string name_;
  std::string content_;
  std::string target_;
  swarm::Progress progress_;  // the last one
  bool offered_ = false;      // the trackers know all it has
  bool already_there_ = false;
  uint64_t present_ = 0;  // bytes that were there when its file was opened
  absl::btree_set<Address> sources_;
  std::string error_;
  ExitStatus error_exit_ = ExitStatus::kDone;

  uint64_t share_upload_ = 0;
  uint64_t share_download_ = 0;
  TransferRates rates_;
  Instant ticked_;
  swarm::Progress ticked_progress_;
  uint64_t arrived_ = 0;
  Instant last_arrival_;

  net::Timer retry_;
  net::Later later_;
};

}  // namespace bt::nodes
