#pragma once

// Host<M, Adaptor>: runs one machine in a world. It delivers inputs, executes the outbox (messages that
// rest on the journal are held until it is durable; a crash discards them), keeps the timers, checks the
// machine's invariants after each step, and digests everything. Timers, files, journal and links work as
// core/machine says; time only passes between events.
//
// The adaptor is what knows the machine's surroundings. It is a class with
//     std::unique_ptr<M> Make(Host&)                            a machine for a new life
//     void Transmit(Host&, NodeId to, const Slice& message)     an encoded P::Message on its way
//     void Deliver(Host&, uint32_t from, const Slice& bytes)    bytes came: host.Receive or host.Call
//     void Reply(Host&, CallId, typename P::Response&)
//     void Note(Host&, const typename P::Note&)
//     void AfterStep(Host&)                                     for judges; the machine has stepped
//     void Ended(Host&)                                         the machine is about to be destroyed
//     void ServesBlock(Host&, const LinkSendBlock&, std::string_view bytes)
// DefaultAdaptor has each of these but Make, Transmit and Deliver.

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>
#include <deque>
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
#include "sim/content_disk.h"
#include "sim/journal_disk.h"
#include "sim/network.h"
#include "sim/process.h"
#include "sim/streams.h"
#include "sim/world.h"

namespace bt::sim {

struct DefaultAdaptor {
  void Reply(auto&, CallId, auto&) {}
  void Note(auto&, const auto&) {}
  void AfterStep(auto&) {}
  void Ended(auto&) {}
  void ServesBlock(auto&, const LinkSendBlock&, std::string_view) {}
};

struct HostOptions {
  std::string name;
  wal::Identity identity;
  DiskFaults disk;
  Address address;  // where its byte streams come from and arrive; only with Streams
  // Chance out of a thousand that the process dies during one sync of its journal, drawn per sync.
  uint32_t crash_while_writing_permille = 0;
};

template <Machine M, class Adaptor>
class Host final : public Process, public Endpoint, public StreamUser, public EventSink {
 public:
  using P = typename M::Protocol;
  static constexpr uint64_t kDigestEvery = 256;  // steps between two digests of the whole machine
  static constexpr size_t kBacklogMax = 1u << 20;

  Host(World& world, Network& network, Streams* streams, HostOptions options, Adaptor adaptor)
      : world_(world),
        network_(network),
        streams_(streams),
        options_(std::move(options)),
        adaptor_(std::move(adaptor)),
        index_(network.Attach(this)),
        rng_(world.Stream("host", index_)),
        journal_(world, index_, options_.identity, options_.disk),
        content_(world, index_, options_.disk) {
    if (streams_ != nullptr) streams_->Attach(index_, this, options_.address);
  }

  // --- Process ---

  void Start() override {
    CHECK(!alive());
    absl::StatusOr<std::vector<JournalRecord>> records = journal_.Recover();
    if (!records.ok()) {
      return world_.Fail(name() + ": the journal is refused although the disk only lost unsynced writes: " +
                         std::string(records.status().message()));
    }
    ++life_;
    const WriteSeq last = records->empty() ? WriteSeq(0) : records->back().seq;
    durable_ = last;
    out_.emplace(last);
    machine_rng_.emplace(rng_.Fork("machine", life_));
    world_.Trace(name(), [&] { return "starts, journal ends at " + std::to_string(last.value()); });
    machine_ = adaptor_.Make(*this);
    if (streams_ != nullptr) streams_->SetUp(index_, true);
    Step(kStarted, last.value(), Input<P>(Started{std::move(*records)}));
  }

  void Crash() override {
    CHECK(alive());
    world_.Trace(name(), [&] { return "crashes"; });
    adaptor_.Ended(*this);
    machine_.reset();
    ++life_;
    stalled_ = false;
    backlog_.clear();
    held_.clear();
    pending_files_.clear();
    wake_at_ = Instant::Never();
    journal_.Crash();
    content_.Crash();
    if (streams_ != nullptr) streams_->SetUp(index_, false);
  }

  void Stall() override {
    CHECK(alive() && !stalled_);
    world_.Trace(name(), [&] { return "stalls"; });
    stalled_ = true;
  }

  void Resume() override {
    CHECK(alive() && stalled_);
    world_.Trace(name(),
                 [&] { return "resumes, with " + std::to_string(backlog_.size()) + " inputs waiting"; });
    stalled_ = false;
    const uint64_t life = life_;
    if (rng_.Chance(1, 2)) ShuffleBacklog();
    if (rng_.Chance(1, 2)) FireTimers();
    while (life_ == life && !stalled_ && !backlog_.empty()) {
      Waiting waiting = std::move(backlog_.front());
      backlog_.pop_front();
      Take(std::move(waiting));
    }
    if (life_ == life && alive()) FireTimers();
  }

  void HealDisk() override {
    journal_.StopSlowing();
    content_.StopSlowing();
    options_.crash_while_writing_permille = 0;
  }
  bool alive() const override { return machine_ != nullptr; }
  bool stalled() const override { return stalled_; }
  bool writing() const override { return journal_.pending(); }
  uint32_t index() const override { return index_; }
  const std::string& name() const override { return options_.name; }

  // --- for the adaptor, scenarios and judges ---

  const M* machine() const { return machine_.get(); }
  Adaptor& adaptor() { return adaptor_; }
  World& world() { return world_; }
  Network& network() { return network_; }
  ContentDisk& content() { return content_; }
  const JournalDisk& journal() const { return journal_; }
  uint64_t life() const { return life_; }
  size_t held() const { return held_.size(); }

  // A message of this protocol. What honest nodes send always decodes.
  void Receive(NodeId from, const Slice& bytes) {
    absl::StatusOr<typename P::Message> message = Decode<typename P::Message>(bytes);
    if (!message.ok()) {
      return world_.Fail(name() + ": a message from node " + std::to_string(from.value()) +
                         " does not decode: " + std::string(message.status().message()));
    }
    Step(kReceived, HashBytes(bytes.view(), from.value()), Input<P>(Received<P>{from, std::move(*message)}));
  }
  void Call(CallId id, typename P::Request request) {
    Enter(kCalled, id.value(), Input<P>(bt::Call<P>{id, std::move(request)}));
  }
  void Cancel(CallId id) { Enter(kCancelled, id.value(), Input<P>(CallCancelled{id})); }

  // --- Endpoint, StreamUser, EventSink ---

  void Deliver(uint32_t from, const Slice& bytes) override {
    if (!alive()) return Refuse(from, bytes);
    if (stalled_) return Wait({.raw = true, .from = from, .bytes = bytes});
    adaptor_.Deliver(*this, from, bytes);
  }
  void StreamUp(LinkId link, const Address& peer) override {
    Enter(kLinkUp, link.value(), Input<P>(LinkUp{link, peer}));
  }
  void StreamBytes(LinkId link, const Slice& bytes) override {
    Enter(kLinkReceived, HashBytes(bytes.view(), link.value()), Input<P>(LinkReceived{link, bytes}));
  }
  void StreamSent(LinkId link, uint64_t total) override {
    Enter(kLinkSent, link.value() * 31 + total, Input<P>(LinkSent{link, total}));
  }
  void StreamDown(LinkId link, const std::string& why) override {
    Enter(kLinkDown, link.value(), Input<P>(LinkDown{link, why}));
  }

  void Fire(uint64_t argument) override {
    // The event of an earlier life.
    if ((argument >> 32 & 0xffffff) != (life_ & 0xffffff) || !alive()) return;
    switch (static_cast<Event>(argument >> 56)) {
      case Event::kWake:
        if (world_.now() != wake_at_) return;  // an earlier one took its place
        wake_at_ = Instant::Never();
        if (!stalled_) FireTimers();
        return;
      case Event::kSynced: {
        const WriteSeq seq = journal_.FinishSync();
        SyncIfNeeded();
        Enter(kWriteDone, seq.value(), Input<P>(WriteDone{seq}));
        return;
      }
      case Event::kFileDone: {
        const auto found = pending_files_.find(argument & 0xffffffff);
        CHECK(found != pending_files_.end());
        ContentDisk::Pending pending = std::move(found->second);
        pending_files_.erase(found);
        content_.Commit(pending.ticket);
        std::visit([&](auto& done) { Enter(kFileDone, argument & 0xffffffff, Input<P>(std::move(done))); },
                   pending.completion);
        return;
      }
      case Event::kCrash:
        // Not any more when the disk was healed meanwhile.
        if (!journal_.idle() && options_.crash_while_writing_permille > 0) {
          world_.Count(Fault::kCrashWhileWriting);
          Crash();
        }
        return;
    }
  }

 private:
  enum class Event : uint64_t { kWake, kSynced, kFileDone, kCrash };
  enum What : uint64_t {
    kStarted,
    kReceived,
    kTimer,
    kWriteDone,
    kCalled,
    kCancelled,
    kLinkUp,
    kLinkReceived,
    kLinkSent,
    kLinkDown,
    kFileDone,
  };
  struct Waiting {
    bool raw = false;  // bytes for the adaptor
    uint32_t from = 0;
    Slice bytes;
    uint64_t what = 0;
    uint64_t hash = 0;
    std::optional<Input<P>> input;
  };
  struct Held {
    WriteSeq after;
    NodeId to;
    Slice bytes;
  };

  uint64_t Argument(Event event, uint64_t detail = 0) const {
    return static_cast<uint64_t>(event) << 56 | (life_ & 0xffffff) << 32 | detail;
  }

  // Nobody is there. Adaptors that want to answer (connection refused) say so.
  void Refuse(uint32_t from, const Slice& bytes) {
    if constexpr (requires { adaptor_.Refuse(*this, from, bytes); }) adaptor_.Refuse(*this, from, bytes);
  }

  void Wait(Waiting waiting) {
    CHECK_MSG(backlog_.size() < kBacklogMax, "a stalled node's backlog is past any socket buffer");
    backlog_.push_back(std::move(waiting));
  }

  void Enter(uint64_t what, uint64_t hash, Input<P> input) {
    if (!alive()) return;
    if (stalled_) {
      return Wait({.what = what, .hash = hash, .input = std::move(input)});
    }
    Step(what, hash, input);
  }

  // Connections are read in any order; what one sender sent stays in order.
  void ShuffleBacklog() {
    std::vector<std::pair<uint32_t, uint64_t>> order;  // sender, draw
    const auto draw_of = [&](const Waiting& waiting) {
      const uint32_t sender = waiting.raw ? waiting.from : UINT32_MAX;
      for (const auto& [known, draw] : order) {
        if (known == sender) return draw;
      }
      order.emplace_back(sender, rng_.Next());
      return order.back().second;
    };
    for (const Waiting& waiting : backlog_) draw_of(waiting);
    std::stable_sort(backlog_.begin(), backlog_.end(),
                     [&](const Waiting& a, const Waiting& b) { return draw_of(a) < draw_of(b); });
  }

  void Take(Waiting waiting) {
    if (waiting.raw) return adaptor_.Deliver(*this, waiting.from, waiting.bytes);
    Step(waiting.what, waiting.hash, *waiting.input);
  }

  void FireTimers() {
    const uint64_t life = life_;
    // A timer that is armed again for this instant waits for the next event, or it would never end.
    for (size_t i = 0; i < TimerTable<typename P::Timer>::kCount && life_ == life && !stalled_; ++i) {
      const std::optional<typename P::Timer> timer = out_->timers.PopDue(world_.now());
      if (!timer.has_value()) break;
      Step(kTimer, static_cast<uint64_t>(*timer), Input<P>(TimerFired<P>{*timer}));
    }
    if (life_ == life && alive()) ArmWake();
  }

  void ArmWake() {
    Instant next = out_->timers.Next();
    if (next == Instant::Never()) return;
    if (next < world_.now()) next = world_.now();
    if (next >= wake_at_) return;
    wake_at_ = next;
    world_.Schedule(next, this, Argument(Event::kWake));
  }

  void Step(uint64_t what, uint64_t hash, const Input<P>& input) {
    if (world_.failed()) return;
    world_.Trace(name(), [&] { return Describe(input); });
    if (what == kWriteDone) Release(std::get<WriteDone>(input).seq);
    Context<P> context{world_.now(), *machine_rng_, *out_};
    machine_->Step(input, context);
    machine_->CheckInvariants();
    if (++steps_ % kDigestEvery == 0) world_.Mix(machine_->Digest());
    const uint64_t life = life_;
    if (const auto* bytes = std::get_if<LinkReceived>(&input)) {
      streams_->Consumed(index_, bytes->link, bytes->bytes.size());
    }
    Execute();
    world_.Observe(index_, what, hash);
    if (life_ != life || !alive()) return;
    adaptor_.AfterStep(*this);
    ArmWake();
  }

  // Nothing here steps this or another machine: what it leads to are later events.
  void Execute() {
    auto& out = *out_;
    for (JournalWrite& write : out.writes) {
      world_.Mix(HashBytes(write.body.view(), write.type));
      journal_.Queue(std::move(write));
    }
    const bool wrote = !out.writes.empty();
    out.writes.clear();
    for (auto& send : out.sends) {
      Slice bytes = Slice::Own(Encode(send.message));
      world_.Mix(HashBytes(bytes.view(), send.to.value()));
      world_.Trace(name(), [&] {
        return "  -> " + std::to_string(send.to.value()) + "  " + TraceText(send.message) +
               (send.after > durable_ ? "  (after write " + std::to_string(send.after.value()) + ")" : "");
      });
      if (send.after > durable_) {
        CHECK_MSG(send.after <= out.last_write(), "a message rests on a write that was never made");
        held_.push_back({send.after, send.to, std::move(bytes)});
      } else {
        adaptor_.Transmit(*this, send.to, bytes);
      }
    }
    out.sends.clear();
    if (wrote) SyncIfNeeded();
    for (const auto& note : out.notes) {
      world_.Trace(name(), [&] { return "  note " + DescribeAny(note); });
      adaptor_.Note(*this, note);
    }
    out.notes.clear();
    for (auto& reply : out.replies) adaptor_.Reply(*this, reply.call, reply.response);
    out.replies.clear();
    if (!out.links.empty() || !out.files.empty()) ExecuteBulk();
  }

  void ExecuteBulk() {
    std::vector<LinkEffect> links = std::move(out_->links);
    std::vector<FileEffect> files = std::move(out_->files);
    out_->links.clear();
    out_->files.clear();
    for (const FileEffect& effect : files) {
      std::optional<ContentDisk::Pending> pending = content_.Execute(effect);
      if (pending.has_value()) Complete(std::move(*pending));
    }
    for (LinkEffect& effect : links) {
      CHECK_MSG(streams_ != nullptr, "a machine with links in a world without streams");
      if (const auto* connect = std::get_if<LinkConnect>(&effect)) {
        world_.Trace(name(), [&] { return "  connects to " + connect->peer.ToString(); });
        streams_->Connect(index_, connect->link, connect->peer);
      } else if (auto* send = std::get_if<LinkSendBytes>(&effect)) {
        world_.Mix(HashBytes(send->bytes.view(), send->link.value()));
        streams_->SendBytes(index_, send->link, std::move(send->bytes));
      } else if (const auto* block = std::get_if<LinkSendBlock>(&effect)) {
        SendBlock(*block);
      } else {
        const auto& close = std::get<LinkClose>(effect);
        world_.Trace(name(), [&] { return "  closes link " + std::to_string(close.link.value()); });
        streams_->Close(index_, close.link, close.flush);
      }
    }
  }

  void Complete(ContentDisk::Pending pending) {
    const uint64_t id = ++next_file_ & 0xffffffff;
    const Duration delay = pending.delay;
    pending_files_[id] = std::move(pending);
    world_.After(delay, this, Argument(Event::kFileDone, id));
  }

  void SendBlock(const LinkSendBlock& block) {
    absl::StatusOr<Slice> bytes = content_.Read(block.file, block.offset, block.length);
    if (!bytes.ok()) {
      Complete({ReadFailed{block.file, block.offset, block.length, bytes.status()}, Duration{0}});
      streams_->Reset(index_, block.link);
      return;
    }
    adaptor_.ServesBlock(*this, block, bytes->view());
    world_.Mix(HashBytes(bytes->view(), block.link.value()));
    streams_->SendBytes(index_, block.link, block.header);
    streams_->SendBytes(index_, block.link, std::move(*bytes));
  }

  void SyncIfNeeded() {
    if (!journal_.idle() || !journal_.pending()) return;
    const Duration takes = journal_.BeginSync();
    world_.After(takes, this, Argument(Event::kSynced));
    if (options_.crash_while_writing_permille > 0 &&
        rng_.Chance(options_.crash_while_writing_permille, 1000)) {
      world_.After(rng_.Between(Duration{0}, takes), this, Argument(Event::kCrash));
    }
  }

  void Release(WriteSeq seq) {
    if (seq > durable_) durable_ = seq;
    // In the order they were sent.
    size_t kept = 0;
    for (size_t i = 0; i < held_.size(); ++i) {
      if (held_[i].after <= durable_) {
        adaptor_.Transmit(*this, held_[i].to, held_[i].bytes);
      } else {
        if (kept != i) held_[kept] = std::move(held_[i]);
        ++kept;
      }
    }
    held_.erase(held_.begin() + static_cast<ptrdiff_t>(kept), held_.end());
  }

  // Requests and notes need no Fields; those that have them are shown in full.
  template <class... T>
  static std::string DescribeAny(const std::variant<T...>& value) {
    return std::visit(
        []<class A>(const A& alternative) {
          if constexpr (HasFields<A>) {
            return TraceText(alternative);
          } else {
            return std::string(fields_internal::TypeName<A>());
          }
        },
        value);
  }
  static std::string Describe(const Input<P>& input);

  World& world_;
  Network& network_;
  Streams* streams_;
  HostOptions options_;
  Adaptor adaptor_;
  uint32_t index_;
  Rng rng_;
  JournalDisk journal_;
  ContentDisk content_;
  std::unique_ptr<M> machine_;
  std::optional<Rng> machine_rng_;
  std::optional<Outbox<P>> out_;
  uint64_t life_ = 0;
  uint64_t steps_ = 0;
  bool stalled_ = false;
  std::deque<Waiting> backlog_;
  std::deque<Held> held_;
  WriteSeq durable_;
  Instant wake_at_ = Instant::Never();
  absl::flat_hash_map<uint64_t, ContentDisk::Pending> pending_files_;  // look-up only
  uint64_t next_file_ = 0;
};

template <Machine M, class Adaptor>
std::string Host<M, Adaptor>::Describe(const Input<P>& input) {
  const auto number = [](uint64_t value) { return std::to_string(value); };
  if (const auto* received = std::get_if<Received<P>>(&input)) {
    return number(received->from.value()) + " ->  " + TraceText(received->message);
  }
  if (const auto* timer = std::get_if<TimerFired<P>>(&input)) {
    return "timer " + number(static_cast<uint64_t>(timer->timer));
  }
  if (const auto* done = std::get_if<WriteDone>(&input)) return "durable up to " + number(done->seq.value());
  if (const auto* call = std::get_if<bt::Call<P>>(&input)) {
    return "call " + number(call->id.value()) + "  " + DescribeAny(call->request);
  }
  if (const auto* cancelled = std::get_if<CallCancelled>(&input)) {
    return "call " + number(cancelled->id.value()) + " cancelled";
  }
  if (const auto* up = std::get_if<LinkUp>(&input)) {
    return "link " + number(up->link.value() & ~kInboundLink) + " up, " + up->peer.ToString();
  }
  if (const auto* bytes = std::get_if<LinkReceived>(&input)) {
    return "link " + number(bytes->link.value() & ~kInboundLink) + " brings " + number(bytes->bytes.size()) +
           " bytes";
  }
  if (const auto* sent = std::get_if<LinkSent>(&input)) {
    return "link " + number(sent->link.value() & ~kInboundLink) + " has sent " + number(sent->total);
  }
  if (const auto* down = std::get_if<LinkDown>(&input)) {
    return "link " + number(down->link.value() & ~kInboundLink) + " down: " + down->why;
  }
  if (const auto* stored = std::get_if<BlockStored>(&input)) return "stored " + number(stored->token.value());
  if (const auto* hashed = std::get_if<RangeHashed>(&input)) return "hashed " + number(hashed->token.value());
  if (std::holds_alternative<Started>(input)) return "started";
  if (std::holds_alternative<FileOpened>(input)) return "file opened";
  if (std::holds_alternative<Checkpointed>(input)) return "checkpointed";
  if (std::holds_alternative<FileFinished>(input)) return "file finished";
  return "read failed";
}

}  // namespace bt::sim
