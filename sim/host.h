#pragma once

// Host<M, Adaptor>: one machine in a world, as a process that starts, stalls, crashes and starts again. A
// Runner (core/machine/runner.h) executes the machine; surroundings.h is what it stands on. A crash destroys
// the machine, what it held back and what was not durable; time only passes between events.
//
// The adaptor is what knows the machine's surroundings. It is a class with
//     std::unique_ptr<M> Make(Host&)                            a machine for a new life
//     void Transmit(Host&, NodeId to, const Slice& message)     an encoded P::Message on its way
//     void Writes(Host&, const JournalWrite&)                   the machine gives its journal a record
//     void Deliver(Host&, uint32_t from, const Slice& bytes)    bytes came: host.Receive or host.Call
//     void Reply(Host&, CallId, typename P::Response&)
//     void Note(Host&, const typename P::Note&)
//     void Begins(Host&, const Input<P>&)                       for judges; the machine is about to step
//     void Links(Host&, const LinkEffect&)                      for judges; what it does to a link comes next
//     void AfterStep(Host&)                                     for judges; the machine has stepped
//     void Ended(Host&)                                         the machine is about to be destroyed
//     void Refused(Host&, const absl::Status&)                  the journal is refused: no machine starts
//     void Serves(Host&, const LinkSendFile&, std::string_view bytes)
//     Files                                                     what executes P::FileEffect: see NoDisk
//     kMachine, kRoles, std::string_view Role(const M&)         what kinds of steps are told apart by
// DefaultAdaptor has each of these but Make, Transmit and Deliver.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/machine/machine.h"
#include "core/machine/runner.h"
#include "sim/backlog.h"
#include "sim/network.h"
#include "sim/process.h"
#include "sim/streams.h"
#include "sim/surroundings.h"
#include "sim/world.h"

namespace bt::sim {

// The files of a node whose machine works on none. Others have besides
//     std::optional<Pending> Execute(const P::FileEffect&)      Pending: P::FileDone completion, delay,
//     ticket
struct NoDisk {
  NoDisk(World&, uint32_t /*node*/, DiskFaults) {}
  absl::StatusOr<Slice> Read(FileId, uint64_t, uint64_t) { return absl::NotFoundError("there are no files"); }
  void Commit(uint64_t) {}  // the effect with this ticket completes: what it promises is durable
  bool congested() const { return false; }  // so much waits for the disk that reading should pause
  void Crash() {}
  void StopFaults() {}
};

struct DefaultAdaptor {
  using Files = NoDisk;
  static constexpr std::string_view kMachine = "machine";
  static constexpr std::string_view kRoles[] = {""};
  std::string_view Role(const auto&) const { return ""; }
  void Writes(auto&, const JournalWrite&) {}
  void Reply(auto&, CallId, auto&) {}
  void Note(auto&, const auto&) {}
  void Begins(auto&, const auto&) {}
  void Links(auto&, const LinkEffect&) {}
  void AfterStep(auto&) {}
  void Ended(auto&) {}
  void Refused(auto&, const absl::Status&) {}
  void Serves(auto&, const LinkSendFile&, std::string_view) {}
};

template <Machine M, class Adaptor>
class Host final : public Process, public Endpoint, public StreamUser {
 public:
  using P = typename M::Protocol;

  Host(World& world, Network& network, Streams* streams, HostOptions options, Adaptor adaptor)
      : world_(world),
        network_(network),
        streams_(streams),
        index_(network.Attach(this)),
        surroundings_(*this, world, streams, index_, std::move(options), std::move(adaptor)) {
    world.Name(index_, name());
    if (streams_ != nullptr) streams_->Attach(index_, this, surroundings_.options().address);
  }

  // --- Process ---

  void Start() override {
    CHECK(!alive());
    absl::StatusOr<wal::JournalRecovery> recovery = surroundings_.Recover();
    if (!recovery.ok()) {
      world_.Trace(surroundings_.Head(TraceKind::kEvent),
                   [&] { return "does not start: " + std::string(recovery.status().message()); });
      return adaptor().Refused(*this, recovery.status());
    }
    surroundings_.BeginLife();
    const WriteSeq last = recovery->last;
    world_.Trace(surroundings_.Head(TraceKind::kStart, last.value()));
    world_.Trace(surroundings_.Head(TraceKind::kEvent), [&] {
      return "its clock says " + TimeText(surroundings_.Now()) + " and drifts by " +
             std::to_string(surroundings_.clock().drift_ppm()) + " ppm";
    });
    runner_.emplace(adaptor().Make(*this), surroundings_);
    if (streams_ != nullptr) streams_->SetUp(index_, true);
    if (!world_.failed()) runner_->Start(std::move(recovery->records), last);
  }

  void Crash() override {
    CHECK(alive());
    world_.Trace(surroundings_.Head(TraceKind::kCrash));
    End();
    surroundings_.Crash();
    if (streams_ != nullptr) streams_->SetUp(index_, false);
  }

  // The process ends by itself, because it has to. One that is stalled hears of the reason when it goes on.
  void Stop(const absl::Status& why) {
    CHECK(alive());
    if (!stalled_) Exit(why);
  }

  void DamageDisk() override {
    CHECK(!alive());
    world_.Trace(surroundings_.Head(TraceKind::kEvent), [&] { return "its disk is damaged"; });
    surroundings_.DamageDisk();
  }

  void Stall() override {
    CHECK(alive() && !stalled_);
    world_.Trace(surroundings_.Head(TraceKind::kStall));
    stalled_ = true;
    surroundings_.clock().Stall();
  }

  void Resume() override {
    CHECK(alive() && stalled_);
    world_.Trace(surroundings_.Head(TraceKind::kResume, backlog_.size()));
    stalled_ = false;
    surroundings_.clock().Resume();
    RandomStream& rng = surroundings_.host_rng();
    if (rng.Chance(1, 2)) backlog_.Shuffle(rng);
    if (rng.Chance(1, 2)) OnWake();
    TakeAll();
    OnWake();
    if (alive() && !surroundings_.journal().failure().ok()) Stop(surroundings_.journal().failure());
  }

  void JumpClock(Duration forward) override {
    CHECK(alive() && !stalled_);
    world_.Trace(surroundings_.Head(TraceKind::kEvent),
                 [&] { return "its clock leaps " + TimeText(Instant{forward.ns}); });
    surroundings_.clock().Jump(forward);
    surroundings_.ForgetWake();
    OnWake();
  }
  void SetPace(Duration per_input) override {
    world_.Trace(surroundings_.Head(TraceKind::kEvent),
                 [&] { return "takes " + std::to_string(per_input.micros()) + " us for each input"; });
    pace_ = per_input;
    if (pace_ == Duration{0} && !stalled_) TakeAll();
  }
  // One whose journal has failed already must stop all the same, now: nobody restarts it later.
  void StopFaults() override {
    surroundings_.StopFaults();
    if (pace_ > Duration{0}) SetPace(Duration{0});
    if (alive() && !surroundings_.journal().failure().ok()) Exit(surroundings_.journal().failure());
  }
  // From now on the journal's syncs do not end.
  void HangJournal() { surroundings_.HangJournal(); }
  bool alive() const override { return runner_.has_value(); }
  bool stalled() const override { return stalled_; }
  bool damaged() const override { return surroundings_.journal().damaged(); }
  bool writing() const override { return surroundings_.journal().pending(); }
  uint32_t index() const override { return index_; }
  const std::string& name() const override { return surroundings_.options().name; }

  // --- for the adaptor, scenarios and judges ---

  const M* machine() const { return alive() ? &runner_->machine() : nullptr; }
  Adaptor& adaptor() { return surroundings_.adaptor(); }
  World& world() { return world_; }
  Network& network() { return network_; }
  typename Adaptor::Files& files() { return surroundings_.files(); }
  const JournalDisk& journal() const { return surroundings_.journal(); }
  uint64_t life() const { return surroundings_.life(); }
  // By its own clock.
  Instant now() const { return surroundings_.Now(); }
  size_t held() const { return alive() ? runner_->held() : 0; }

  // A message of this protocol. What honest nodes send always decodes.
  void Receive(NodeId from, const Slice& bytes) {
    absl::StatusOr<typename P::Message> message = Decode<typename P::Message>(bytes);
    if (!message.ok()) {
      return world_.Fail(name() + ": a message from node " + std::to_string(from.value()) +
                         " does not decode: " + std::string(message.status().message()));
    }
    world_.Mix(HashBytes(bytes.view(), from.value()));
    Enter(Received<P>{from, std::move(*message)});
  }
  void Call(CallId id, typename P::Request request) { Enter(bt::Call<P>{id, std::move(request)}); }
  void Cancel(CallId id) { Enter(CallCancelled{id}); }
  void Closed(NodeId peer) { Enter(PeerClosed{peer}); }

  // --- Endpoint, StreamUser ---

  void Deliver(uint32_t from, const Slice& bytes) override {
    if (!alive()) return Refuse(from, bytes);
    if (waits()) return Wait(RawBytes{from, bytes});
    adaptor().Deliver(*this, from, bytes);
  }
  void StreamUp(LinkId link, const Address& peer) override { Enter(LinkUp{link, peer}); }
  void StreamBytes(LinkId link, const Slice& bytes) override {
    if (surroundings_.files().congested()) {
      return world_.Fail("congestion: " + name() + " reads although its disk has not caught up");
    }
    Enter(LinkReceived{link, bytes});
  }
  void StreamSent(LinkId link, uint64_t total) override { Enter(LinkSent{link, total}); }
  void StreamDown(LinkId link, const std::string& why) override { Enter(LinkDown{link, why}); }

  // --- for the surroundings ---

  // Inputs are kept for later.
  bool waits() const { return stalled_ || (pace_ > Duration{0} && !taking_); }
  void Enter(Input<P> input) {
    if (!alive() || world_.failed()) return;
    if (waits()) return Wait(std::move(input));
    runner_->Deliver(std::move(input));
  }
  void OnWake() {
    if (alive() && !stalled_ && !world_.failed()) runner_->FireDueTimers();
  }
  // The slow process has time for one input.
  void OnPace() {
    next_is_due_ = false;
    if (stalled_ || backlog_.empty()) return;
    TakeOne();
    if (alive() && !backlog_.empty()) TakeLater();
  }

 private:
  void Exit(const absl::Status& why) {
    world_.Trace(surroundings_.Head(TraceKind::kEvent),
                 [&] { return "stops: " + std::string(why.message()); });
    End();
    surroundings_.Exit();
    if (streams_ != nullptr) streams_->SetUp(index_, false);
  }
  void End() {
    adaptor().Ended(*this);
    runner_.reset();
    stalled_ = false;
    next_is_due_ = false;
    backlog_.Clear();
  }
  void Wait(typename Backlog<P>::Item item) {
    backlog_.Push(std::move(item));
    if (!stalled_ && !next_is_due_) TakeLater();
  }
  void TakeLater() {
    next_is_due_ = true;
    surroundings_.PaceAfter(pace_);
  }
  void TakeOne() {
    auto item = backlog_.Pop();
    taking_ = true;
    if (const auto* raw = std::get_if<RawBytes>(&item)) {
      Deliver(raw->from, raw->bytes);
    } else {
      Enter(std::get<Input<P>>(std::move(item)));
    }
    taking_ = false;
  }
  void TakeAll() {
    while (alive() && !backlog_.empty()) TakeOne();
  }
  // Nobody is there. Adaptors that want to answer (connection refused) say so.
  void Refuse(uint32_t from, const Slice& bytes) {
    if constexpr (requires { adaptor().Refuse(*this, from, bytes); }) adaptor().Refuse(*this, from, bytes);
  }

  World& world_;
  Network& network_;
  Streams* streams_;
  const uint32_t index_;
  NodeSurroundings<M, Adaptor> surroundings_;
  std::optional<Runner<M, NodeSurroundings<M, Adaptor>>> runner_;
  bool stalled_ = false;
  Duration pace_{0};  // between two inputs; 0: none waits
  bool next_is_due_ = false;
  bool taking_ = false;  // the input is one that has waited
  Backlog<P> backlog_;
};

}  // namespace bt::sim
