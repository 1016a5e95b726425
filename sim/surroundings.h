#pragma once

// NodeSurroundings<M, Adaptor>: what a simulated node stands on, for its Runner: a journal and content files
// on a faulty disk, byte streams, timers as events of the world, and the adaptor for everything else. It
// digests and traces each step. Nothing here steps a machine: what an effect leads to is a later event. Used
// by Host alone, which lives as long.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/base/halves.h"
#include "core/machine/input_name.h"
#include "core/machine/runner.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/journal_disk.h"
#include "sim/streams.h"
#include "sim/world.h"

namespace bt::sim {

struct HostOptions {
  std::string name;
  wal::Identity identity;
  DiskFaults disk;
  ClockFaults clock;
  Address address;  // where its byte streams come from and arrive; only with Streams
  // Chance out of a thousand that the process dies during one sync of its journal, drawn per sync.
  uint32_t crash_while_writing_permille = 0;
  // Of its journal (wal::JournalFilesOptions).
  wal::NeededAfter needed_after;
};

template <Machine M, class Adaptor>
class Host;

template <Machine M, class Adaptor>
class NodeSurroundings final : public EventSink {
 public:
  using P = typename M::Protocol;
  using Owner = Host<M, Adaptor>;
  using Files = typename Adaptor::Files;
  static constexpr uint64_t kDigestEvery = 256;  // steps between two digests of the whole machine

  NodeSurroundings(Owner& host, World& world, Streams* streams, uint32_t index, HostOptions options,
                   Adaptor adaptor)
      : host_(host),
        world_(world),
        streams_(streams),
        index_(index),
        options_(std::move(options)),
        adaptor_(std::move(adaptor)),
        rng_(world.Stream("host", index)),
        crashes_(world.Stream("crash while writing", index)),
        machine_seeds_(world.Stream("machine", index)),
        clock_(world, index, options_.clock),
        journal_(world, index, options_.identity, options_.disk, options_.needed_after),
        files_(world, index, options_.disk) {}

  // --- a process's lives ---

  absl::StatusOr<wal::JournalRecovery> Recover() { return journal_.Recover(); }
  // While the process is down.
  void DamageDisk() { journal_.Damage(); }
  // A machine is about to be made.
  void BeginLife() {
    ++life_;
    clock_.BeginLife();
    // All that a machine draws in one life is one decision. Machines whose seeds are alike (the simplest ones
    // are) still draw differently: elections need that.
    machine_rng_.emplace(
        Rng(machine_seeds_.Next()).Fork("machine", Join(index_, static_cast<uint32_t>(life_))));
  }
  void Crash() {
    EndLife();
    journal_.Crash();
  }
  // The process ends by itself.
  void Exit() {
    EndLife();
    journal_.CrashProcess();
  }
  void StopFaults() {
    clock_.StopFaults();
    journal_.StopFaults();
    files_.StopFaults();
    options_.crash_while_writing_permille = 0;
  }

  void HangJournal() { journal_.Hang(); }

  const HostOptions& options() const { return options_; }
  Adaptor& adaptor() { return adaptor_; }
  JournalDisk& journal() { return journal_; }
  const JournalDisk& journal() const { return journal_; }
  Files& files() { return files_; }
  HostClock& clock() { return clock_; }
  const HostClock& clock() const { return clock_; }
  RandomStream& host_rng() { return rng_; }
  TraceHead Head(TraceKind kind, uint64_t number = 0, uint64_t peer = 0) const {
    return {.who = options_.name, .kind = kind, .node = index_, .peer = peer, .number = number};
  }
  uint64_t life() const { return life_; }

  // --- for the runner ---

  Instant Now() const { return clock_.Now(); }
  Rng& rng() { return *machine_rng_; }

  void StepBegins(const Input<P>& input) {
    if (world_.kinds() != nullptr) [[unlikely]] {
      TakeKind(input);
    }
    world_.Trace(Head(TraceKind::kInput), [&] { return InputText(input); });
    adaptor_.Begins(host_, input);
  }
  void Holds(const typename Outbox<P>::Outgoing& message) {
    world_.Trace(Head(TraceKind::kHold, message.after.value(), message.to.value()),
                 [&] { return TraceText(message.message); });
  }
  void StepEnds(const Input<P>& input) {
    if (++steps_ % kDigestEvery == 0) world_.Mix(host_.machine()->Digest());
    if (const auto* received = std::get_if<LinkReceived>(&input)) {
      streams_->Consumed(index_, received->link, received->bytes.size());
    }
    world_.Observe(index_, input.index(), InputDigest(input));
    adaptor_.AfterStep(host_);
  }

  void Append(JournalWrite write) {
    world_.Mix(HashBytes(write.body.view(), write.type));
    adaptor_.Writes(host_, write);
    journal_.Queue(std::move(write));
  }
  void Commit() {
    if (!journal_.idle() || !journal_.pending()) return;
    const Duration takes = journal_.BeginSync();
    world_.After(takes, this, Argument(Event::kSynced));
    if (options_.crash_while_writing_permille > 0 &&
        crashes_.Chance(options_.crash_while_writing_permille, 1000)) {
      world_.After(rng_.Between(Duration{0}, takes), this, Argument(Event::kCrash));
    }
  }
  void Forget(WriteSeq needed) { journal_.Forget(needed); }
  void Transmit(NodeId to, const typename P::Message& message) {
    const Slice bytes = Slice::Own(Encode(message));
    world_.Mix(HashBytes(bytes.view(), to.value()));
    world_.Trace(Head(TraceKind::kSend, 0, to.value()), [&] { return TraceText(message); });
    adaptor_.Transmit(host_, to, bytes);
  }
  void Do(const typename P::FileEffect& effect) requires HasFiles<P> {
    auto pending = files_.Execute(effect);
    if (pending.has_value()) {
      CompleteLater(FileCompleted<P>{std::move(pending->completion)}, pending->delay, pending->ticket);
    }
    HeedCongestion();
  }
  void Do(LinkEffect effect) {
    CHECK_MSG(streams_ != nullptr, "a machine with links in a world without streams");
    adaptor_.Links(host_, effect);
    std::visit([this](auto& one) { DoLink(one); }, effect);
  }
  void Answer(CallId call, typename P::Response response) { adaptor_.Reply(host_, call, response); }
  void Note(const typename P::Note& note) {
    if (world_.kinds() != nullptr) [[unlikely]] {
      TakeKind(note);
    }
    world_.Trace(Head(TraceKind::kNote), [&] { return TraceText(note); });
    adaptor_.Note(host_, note);
  }
  void Wake(Instant when) {
    if (when >= wake_.local) return;
    wake_ = {clock_.WorldTime(when), when};
    world_.Schedule(wake_.world, this, Argument(Event::kWake));
  }
  void PaceAfter(Duration delay) { world_.After(delay, this, Argument(Event::kPace)); }
  // What was wished for no longer counts: the clock has leapt, or the process is gone.
  void ForgetWake() { wake_ = {}; }

  // --- EventSink ---

  void Fire(uint64_t argument) override {
    // The event of an earlier life.
    const auto [event, life, detail] = Packed::From(argument);
    if (life != (life_ & Packed::kMiddleMask) || !host_.alive()) return;
    switch (event) {
      case Event::kWake:
        if (world_.now() != wake_.world) return;  // an earlier one took its place
        ForgetWake();
        return host_.OnWake();
      case Event::kSynced: {
        const std::optional<WriteSeq> durable = journal_.FinishSync();
        if (!journal_.failure().ok()) StopSoon();
        Commit();
        if (durable.has_value()) host_.Enter(WriteDone{*durable});
        return;
      }
      case Event::kCompletion: {
        const auto found = completions_.find(detail);
        CHECK(found != completions_.end());
        Completion completion = std::move(found->second);
        completions_.erase(found);
        files_.Commit(completion.ticket);
        host_.Enter(std::move(completion.input));
        return HeedCongestion();
      }
      case Event::kPace:
        return host_.OnPace();
      case Event::kStop:
        return host_.Stop(journal_.failure());
      case Event::kCrash:
        // Not any more when the disk was healed meanwhile.
        if (!journal_.idle() && options_.crash_while_writing_permille > 0) {
          world_.Count(Fault::kCrashWhileWriting, {index_});
          host_.Crash();
        }
        return;
    }
  }

 private:
  enum class Event : uint64_t { kWake, kSynced, kCompletion, kCrash, kStop, kPace };
  using Packed = EventArgument<24, Event>;  // in which life, and a number

  struct Completion {
    Input<P> input;
    uint64_t ticket;
  };

  uint64_t Argument(Event event, uint64_t detail = 0) const { return Packed{event, life_, detail}.packed(); }

  // Of an input, or of a note.
  void TakeKind(const auto& what) {
    const std::string_view role = adaptor_.Role(*host_.machine());
    RollingDigest digest;
    digest.Add(Adaptor::kMachine);
    digest.Add(role);
    digest.Add(std::is_same_v<decltype(what), const Input<P>&>);
    AddKind(what, digest);
    world_.kinds()->Take(index_, world_.events(), digest.value(), [&] {
      std::string name(Adaptor::kMachine);
      if (!role.empty()) name += ' ' + std::string(role);
      AppendKindName(what, name);
      return name;
    });
  }

  // While too much waits for the content disk, nothing is read from the node's streams; see net/host.h.
  void HeedCongestion() {
    if (streams_ != nullptr) streams_->PauseReading(index_, files_.congested());
  }

  void EndLife() {
    ++life_;  // events of the life that ended are nobody's
    completions_.clear();
    ForgetWake();
    files_.Crash();
  }
  // A journal that has failed ends its node. The loop hears of it from another thread and may take a few more
  // inputs before.
  void StopSoon() { world_.After(rng_.Between(Duration{0}, Milliseconds(2)), this, Argument(Event::kStop)); }

  // `ticket`: what the files have to make durable first; 0: nothing.
  void CompleteLater(Input<P> input, Duration delay, uint64_t ticket) {
    const uint64_t id = ++next_completion_ & 0xffffffff;
    completions_.emplace(id, Completion{std::move(input), ticket});
    world_.After(delay, this, Argument(Event::kCompletion, id));
  }

  void DoLink(const LinkConnect& connect) {
    world_.Trace(Head(TraceKind::kConnect, connect.link.value()), [&] { return connect.peer.ToString(); });
    streams_->Connect(index_, connect.link, connect.peer);
  }
  void DoLink(LinkSendBytes& send) {
    world_.Mix(HashBytes(send.bytes.view(), send.link.value()));
    streams_->SendBytes(index_, send.link, std::move(send.bytes));
  }
  void DoLink(const LinkSendFile& send) {
    absl::StatusOr<Slice> bytes = files_.Read(send.file, send.offset, send.length);
    if (!bytes.ok()) {
      CompleteLater(ReadFailed{send.file, send.offset, send.length, bytes.status()}, Duration{0}, 0);
      streams_->Reset(index_, send.link);
      return;
    }
    adaptor_.Serves(host_, send, bytes->view());
    world_.Mix(HashBytes(bytes->view(), send.link.value()));
    streams_->SendBytes(index_, send.link, send.header);
    streams_->SendBytes(index_, send.link, std::move(*bytes));
  }
  void DoLink(const LinkClose& close) {
    world_.Trace(Head(TraceKind::kClose, close.link.value()));
    streams_->Close(index_, close.link, close.flush);
  }

  Owner& host_;
  World& world_;
  Streams* streams_;
  const uint32_t index_;
  HostOptions options_;
  Adaptor adaptor_;
  RandomStream rng_;
  RandomStream crashes_;
  RandomStream machine_seeds_;
  HostClock clock_;
  JournalDisk journal_;
  Files files_;
  std::optional<Rng> machine_rng_;
  uint64_t life_ = 0;
  uint64_t steps_ = 0;
  struct {
    Instant world = Instant::Never();
    Instant local = Instant::Never();
  } wake_;
  absl::flat_hash_map<uint64_t, Completion> completions_;  // look-up only
  uint64_t next_completion_ = 0;
};

}  // namespace bt::sim
