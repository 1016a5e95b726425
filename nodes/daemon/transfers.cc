#include "nodes/daemon/transfers.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "nodes/daemon/shares.h"
#include "nodes/shared/files.h"
#include "nodes/shared/text.h"
#include "nodes/shared/torrent_files.h"

namespace bt::nodes {
namespace {

constexpr int kWorkThreads = 4;
constexpr Duration kTick = Seconds(1);
// What of bytes given and of time offered a kill -9 may lose.
constexpr Duration kCountersPeriod = Seconds(10);

absl::Status CopyTorrent(const std::string& from, const std::string& to) {
  const absl::StatusOr<ReadTorrent> read = ReadTorrentAndBytes(from);
  return read.ok() ? WriteFileAtomically(to, read->bytes, 0600) : read.status();
}

}  // namespace

Transfers::Transfers(net::Loop& loop, std::string directory, DaemonState state, std::string on_complete,
                     std::function<void()> stopped)
    : loop_(loop),
      directory_(std::move(directory)),
      begun_(std::move(state)),
      stopped_(std::move(stopped)),
      next_id_(begun_.next_id),
      upload_limit_(begun_.upload_limit),
      download_limit_(begun_.download_limit),
      seed_(begun_.seed),
      work_(loop, kWorkThreads),
      writes_(loop, 1),
      hook_(loop, std::move(on_complete)),
      tick_(loop, [this] { OnTick(); }),
      later_(loop) {}

void Transfers::Begin(std::unique_ptr<PeerDoor> door) {
  door_ = std::move(door);
  saved_ = begun_.transfers;
  for (const SavedTransfer& saved : begun_.transfers) {
    DaemonTransfer& transfer = Make(saved.id, saved.order);
    paused_[saved.id] = saved.paused;
    transfer.Restore(saved);
  }
  for (const SavedTransfer& saved : begun_.transfers) {
    if (!saved.complete && !saved.paused) At(saved.id).Begin();
  }
  Divide();
  tick_.Arm(loop_.now() + kTick);
}

std::vector<InfoHash> Transfers::info_hashes() const {
  std::vector<InfoHash> hashes;
  for (const auto& [id, transfer] : transfers_) {
    const std::vector<InfoHash> own = transfer->info_hashes();
    hashes.insert(hashes.end(), own.begin(), own.end());
  }
  return hashes;
}

bool Transfers::HandOver(const InfoHash& hash, net::Accepted& accepted, const Address& peer) {
  for (const auto& [id, transfer] : transfers_) {
    if (!transfer->Means(hash)) continue;
    transfer->Adopt(std::move(accepted), peer);
    return true;
  }
  return false;
}

DaemonTransfer& Transfers::Make(uint64_t id, Order order) {
  DaemonTransfer::Surroundings surroundings{loop_,
                                            work_,
                                            TorrentCopy(directory_, id),
                                            listen(),
                                            seed_,
                                            [this] { Save([](const absl::Status&) {}); },
                                            [this](uint64_t completed) { OnCompleted(completed); }};
  auto& place = transfers_[id];
  place = std::make_unique<DaemonTransfer>(id, std::move(order), std::move(surroundings));
  return *place;
}

const DaemonTransfer* Transfers::Find(uint64_t id) const {
  const auto found = transfers_.find(id);
  return found == transfers_.end() ? nullptr : found->second.get();
}

DaemonTransfer* Transfers::Find(uint64_t id) {
  const auto found = transfers_.find(id);
  return found == transfers_.end() ? nullptr : found->second.get();
}

void Transfers::Add(Order order, std::function<void(absl::StatusOr<Added>)> done) {
  const auto same = std::find_if(transfers_.begin(), transfers_.end(),
                                 [&](const auto& entry) { return entry.second->order() == order; });
  if (same != transfers_.end()) {
    const uint64_t id = same->first;
    return Resume(id, [id, done = std::move(done)](const absl::Status& status) {
      done(status.ok() ? absl::StatusOr<Added>(Added{id, false}) : status);
    });
  }
  if (transfers_.size() + adding_ >= kTransfersMax) {
    return done(absl::ResourceExhaustedError(
        absl::StrCat("there are ", kTransfersMax, " transfers already; remove one first")));
  }
  ++adding_;
  const uint64_t id = next_id_++;
  const bool copies = NamesTorrentFile(order);
  const std::string from = order.what;
  work_.Run([copies, from,
             to = TorrentCopy(directory_, id)] { return copies ? CopyTorrent(from, to) : absl::OkStatus(); },
            later_,
            [this, id, order = std::move(order), done = std::move(done)](absl::Status status) mutable {
              --adding_;
              if (status.ok() && stopping_) status = absl::UnavailableError("the daemon is stopping");
              if (!status.ok()) return done(std::move(status));
              paused_[id] = false;
              Make(id, std::move(order));
              // Nobody is told of it, and it does nothing, before it would be there after a crash.
              Save([this, id, done = std::move(done)](absl::Status saved) {
                if (!saved.ok()) {
                  transfers_.erase(id);
                  paused_.erase(id);
                  return done(std::move(saved));
                }
                if (transfers_.contains(id)) At(id).Begin();
                Divide();
                done(Added{id, true});
              });
            });
}

void Transfers::Pause(uint64_t id, Done done) {
  if (At(id).complete())
    return done(absl::FailedPreconditionError("it is complete: there is nothing to pause"));
  paused_[id] = true;
  At(id).Pause();
  Save(std::move(done));
}

void Transfers::Resume(uint64_t id, Done done) {
  paused_[id] = false;
  At(id).Begin();
  Divide();
  Save(std::move(done));
}

void Transfers::Remove(uint64_t id, Done done) {
  auto node = transfers_.extract(id);
  DaemonTransfer& transfer = *node.mapped();
  leaving_.insert(std::move(node));
  paused_.erase(id);
  // Told when both are done: it is at rest, and forgotten.
  auto both = std::make_shared<std::pair<int, absl::Status>>(2, absl::OkStatus());
  const auto one = [both, done = std::move(done)](absl::Status status) {
    both->second.Update(status);
    if (--both->first == 0) done(both->second);
  };
  Save([this, id, one](absl::Status status) {
    if (status.ok()) ::unlink(TorrentCopy(directory_, id).c_str());
    one(std::move(status));
  });
  transfer.End([this, id, one] {
    Ended(id);
    one(absl::OkStatus());
  });
  Divide();
}

void Transfers::SetLimits(uint64_t id, const Limits& limits, Done done) {
  At(id).SetOwnLimits(limits.upload, limits.download, limits.seed);
  Divide();
  Save(std::move(done));
}

void Transfers::SetLimits(const Limits& limits, Done done) {
  upload_limit_ = limits.upload;
  download_limit_ = limits.download;
  seed_ = limits.seed;
  Divide();
  Save(std::move(done));
}

DaemonState Transfers::State() const {
  DaemonState state{next_id_, upload_limit_, download_limit_, seed_, {}};
  for (const auto& [id, transfer] : transfers_) state.transfers.push_back(transfer->ToSave(paused_.at(id)));
  return state;
}

void Transfers::Save(Done done) {
  const DaemonState state = State();
  saved_ = state.transfers;
  counters_saved_ = loop_.now();
  writes_.Run([directory = directory_, text = StateText(state)] { return SaveState(directory, text); },
              later_, [done = std::move(done)](absl::Status status) { done(std::move(status)); });
}

// It is durable that the program was about to be run before it is: a daemon that is killed in between does
// not run it at all, and never twice.
void Transfers::OnCompleted(uint64_t id) {
  Save([this, id](const absl::Status& status) {
    const DaemonTransfer* transfer = Find(id);
    if (status.ok() && transfer != nullptr) hook_.Run(id, transfer->name(), transfer->target());
  });
}

void Transfers::Divide() {
  std::vector<DaemonTransfer*> sharers;
  for (const auto& [id, transfer] : transfers_) {
    const auto state = transfer->state();
    if (state == DaemonTransfer::State::kRunning || state == DaemonTransfer::State::kPreparing) {
      sharers.push_back(transfer.get());
    }
  }
  std::vector<ShareWish> up;
  std::vector<ShareWish> down;
  for (const DaemonTransfer* sharer : sharers) {
    up.push_back({sharer->rates().sent, sharer->order().upload_limit});
    down.push_back({sharer->rates().received, sharer->order().download_limit});
  }
  const std::vector<uint64_t> none(sharers.size(), 0);
  const std::vector<uint64_t> uploads = upload_limit_ == 0 ? none : DivideLimit(upload_limit_, up);
  const std::vector<uint64_t> downloads = download_limit_ == 0 ? none : DivideLimit(download_limit_, down);
  for (size_t i = 0; i < sharers.size(); ++i) sharers[i]->SetShare(uploads[i], downloads[i]);
}

void Transfers::OnTick() {
  for (const auto& [id, transfer] : transfers_) transfer->Tick(loop_.now());
  Divide();
  SaveCounters();
  tick_.Arm(loop_.now() + kTick);
}

void Transfers::SaveCounters() {
  if (loop_.now() - counters_saved_ < kCountersPeriod) return;
  const bool counted = std::any_of(saved_.begin(), saved_.end(), [this](const SavedTransfer& saved) {
    return transfers_.contains(saved.id) && At(saved.id).HasCounted(saved);
  });
  if (counted) Save([](const absl::Status&) {});
}

void Transfers::Ended(uint64_t id) {
  leaving_.erase(id);
  MaybeStopped();
}

void Transfers::MaybeStopped() {
  if (stopping_ && last_saved_ && leaving_.empty()) stopped_();
}

void Transfers::Stop() {
  if (stopping_) return;
  stopping_ = true;
  tick_.Disarm();
  Save([this](const absl::Status&) {
    last_saved_ = true;
    MaybeStopped();
  });
  while (!transfers_.empty()) leaving_.insert(transfers_.extract(transfers_.begin()));
  for (const auto& entry : leaving_) {
    entry.second->End([this, id = entry.first] { Ended(id); });
  }
}

}  // namespace bt::nodes
