// Slow links: trackers whose links have rates down to 1 Mbit/s, and registrations that take seconds to cross
// them. Nothing else goes wrong, and so: nobody but the first leader leads, and every registration succeeds;
// small writes meanwhile are done in twice the time of a quiet one and that of two and a half chunks (99 of
// 100 of them); and in the end nobody holds a value any more that was shipped ahead of its slot.

#include <absl/container/btree_map.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/torrent/merkle.h"
#include "sim/plan.h"
#include "sim/scenarios/run_until.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/tracker_cluster.h"

namespace bt::sim {
namespace {

constexpr uint64_t kMegabitPerSecond = 125'000;  // bytes
constexpr uint32_t kBlocks = 1;                  // of a piece

Metainfo MakeTorrent(std::string name, uint32_t pieces, uint64_t content) {
  Metainfo metainfo;
  metainfo.name = std::move(name);
  metainfo.piece_length = kBlockSize * kBlocks;
  metainfo.length = uint64_t{pieces} * metainfo.piece_length;
  metainfo.piece_layer.resize(pieces);
  for (uint32_t i = 0; i < pieces; ++i) {
    uint64_t state = content << 32 | i;
    for (uint8_t& byte : metainfo.piece_layer[i])
      byte = static_cast<uint8_t>((state *= 6364136223846793005) >> 56);
  }
  metainfo.pieces_root = merkle::Root(metainfo.piece_layer, 0);
  return metainfo;
}

// Asks trackers, and notes how long each answer takes.
class Caller final : public Endpoint {
 public:
  struct Asked {
    Instant when;
    Duration took = Duration{-1};
    tracker_api::Outcome outcome = tracker_api::Outcome::kUnavailable;
    bool answered() const { return took >= Duration{}; }
  };

  Caller(World& world, Network& network) : world_(world), network_(network), index_(network.Attach(this)) {}

  uint64_t Ask(uint32_t node, tracker_api::Request request) {
    asked_[++last_] = {.when = world_.now()};
    network_.Send(index_, node, Slice::Own(Encode(EdgeMessage(tracker_api::Ask{last_, std::move(request)}))));
    return last_;
  }
  void Deliver(uint32_t, const Slice& bytes) override {
    const absl::StatusOr<EdgeMessage> message = Decode<EdgeMessage>(bytes);
    CHECK(message.ok());
    const auto* answer = std::get_if<tracker_api::Answer>(&*message);
    if (answer == nullptr) return;
    Asked& asked = asked_.at(answer->id);
    asked.took = world_.now() - asked.when;
    asked.outcome = answer->response.outcome;
  }
  const Asked& asked(uint64_t id) const { return asked_.at(id); }
  uint64_t asked() const { return last_; }

 private:
  World& world_;
  Network& network_;
  const uint32_t index_;
  uint64_t last_ = 0;
  absl::btree_map<uint64_t, Asked> asked_;
};

class SlowLinks {
 public:
  explicit SlowLinks(World& world)
      : world_(world),
        rng_(world.Stream("slow_links")),
        plan_(Plan(rng_)),
        network_(world, plan_.network),
        cluster_(world, network_, rng_.Chance(2, 3) ? 3 : 5, plan_),
        caller_(world, network_),
        rate_(kMegabitPerSecond << rng_.Below(11)) {
    cluster_.UseConfig({});
    // In some worlds no link has less than that rate, and most have more.
    RandomStream unequal = world.Stream("unequal links");
    const uint64_t faster = unequal.Chance(1, 3) ? 6 : 0;
    for (uint32_t from = 0; from < cluster_.size(); ++from) {
      for (uint32_t to = 0; to < cluster_.size(); ++to)
        network_.Limit(from, to, rate_ << unequal.Between(0, faster));
    }
  }

  void Run() {
    cluster_.Start();
    if (!RunUntilDone(world_, Seconds(20), [&] { return Leader().has_value(); }))
      return Fail("no leader at first");
    world_.RunFor(Seconds(1));
    const size_t led = cluster_.judge().leaderships();
    const uint64_t small = caller_.Ask(0, tracker_api::Register{{}, MakeTorrent("small", 2, 1)});
    if (!Answered(small, Seconds(5))) return Fail("a small registration is not answered");
    MeasureQuiet();
    for (uint64_t large = rng_.Between(1, 2); large > 0; --large) Large(large + 1);
    if (world_.failed()) return;
    world_.RunFor(Seconds(2));
    JudgeSmall();
    JudgeHeld();
    if (cluster_.judge().leaderships() != led) {
      Fail(absl::StrFormat("leadership: load alone has made %d new leaders",
                           cluster_.judge().leaderships() - led));
    }
    if (!world_.failed()) JudgeProposed();
  }

 private:
  static FaultPlan Plan(RandomStream& rng) {
    FaultPlan plan;
    plan.network.latency_max = Microseconds(static_cast<int64_t>(100 << rng.Below(8)));
    plan.clock.own = true;
    return plan;
  }

  bool Answered(uint64_t id, Duration bound) {
    return RunUntilDone(world_, bound, [&] { return caller_.asked(id).answered(); });
  }

  // One large registration at any node, or two at the leader, and small writes at the leader all the while.
  void Large(uint64_t content) {
    std::vector<uint64_t> calls;
    Duration crossing;
    if (const std::optional<uint32_t> leader = Leader(); leader && rng_.Chance(1, 3)) {
      for (uint64_t i = 0; i < 2; ++i) calls.push_back(AskLarge(*leader, content * 10 + i, crossing));
    } else {
      calls.push_back(AskLarge(static_cast<uint32_t>(rng_.Below(cluster_.size())), content, crossing));
    }
    const Instant bound = world_.now() + crossing * 5 + Seconds(5);
    const auto answered = [&](uint64_t call) { return caller_.asked(call).answered(); };
    while (!world_.failed() && !std::all_of(calls.begin(), calls.end(), answered) && world_.now() < bound) {
      AskSmall();
      world_.RunFor(rng_.Between(Milliseconds(20), Milliseconds(200)));
    }
    for (const uint64_t call : calls) {
      if (world_.failed() || caller_.asked(call).outcome == tracker_api::Outcome::kCreated) continue;
      Fail(absl::StrFormat(
          "progress: of %d registrations, which cross in %d ms, one has not succeeded in %d ms, "
          "under %d leaders",
          calls.size(), crossing.millis(), (world_.now() - caller_.asked(call).when).millis(),
          cluster_.judge().leaderships()));
    }
  }

  // Adds what it takes to cross one link.
  uint64_t AskLarge(uint32_t node, uint64_t content, Duration& crossing) {
    const uint32_t pieces = uint32_t{1} << rng_.Between(12, 17);
    const Duration once = Seconds(pieces * int64_t{32}) / static_cast<int64_t>(rate_);
    crossing = crossing + once;
    crossing_ = crossing_ + once;
    return caller_.Ask(
        node, tracker_api::Register{{}, MakeTorrent(absl::StrFormat("large %d", content), pieces, content)});
  }

  void AskSmall() {
    const std::optional<uint32_t> leader = Leader();
    if (!leader) return;
    tracker_api::Offer offer{{}, "small", {}, {{PieceIndex(0), 1}}};
    offer.peer = *Address::Parse("10.0.0.9:6881");
    small_.push_back(caller_.Ask(*leader, std::move(offer)));
  }

  // How long small writes take that nothing is in the way of: way and back, and the disks.
  void MeasureQuiet() {
    for (int i = 0; i < 10 && !world_.failed(); ++i) {
      AskSmall();
      if (small_.empty() || !Answered(small_.back(), Seconds(5)))
        return Fail("a small write is not answered");
      quiet_ = std::max(quiet_, caller_.asked(small_.back()).took);
    }
    small_.clear();
  }

  // A chunk is at most what the link takes 50 ms for, but no shorter than the shortest.
  Duration ChunkTime() const {
    const tracker::Config config;
    constexpr size_t kFraming = 128;
    const size_t shortest = config.chunk_bytes_min + kFraming;
    return std::max(config.bulk_delay, Seconds(static_cast<int64_t>(shortest)) / static_cast<int64_t>(rate_));
  }

  void JudgeSmall() {
    std::vector<Duration> times;
    for (const uint64_t id : small_) {
      const Caller::Asked& asked = caller_.asked(id);
      times.push_back(asked.answered() ? asked.took : world_.now() - asked.when);
    }
    if (times.empty()) return;
    const size_t rank = (times.size() * 99 + 99) / 100 - 1;
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(rank), times.end());
    // While the window looks for the link's rate, chunks are longer by up to a quarter.
    const Duration bound = quiet_ * 2 + ChunkTime() * 2 * 5 / 4;
    if (times[rank] <= bound) return;
    Fail(absl::StrFormat(
        "latency: of %d small writes beside large ones 99 %% took up to %d ms; at most %d ms are "
        "allowed, and a quiet one takes %d",
        times.size(), times[rank].millis(), bound.millis(), quiet_.millis()));
  }

  // Under one leader each mutation is proposed once: a second copy of a long one crosses every link for
  // nothing.
  void JudgeProposed() {
    const std::optional<uint32_t> leader = Leader();
    if (!leader) return Fail("nobody leads in the end");
    const uint64_t mutations = caller_.asked() + world_.faults().count(Fault::kLevelRaised);
    const uint64_t commands = cluster_.host(*leader).machine()->state().commands();
    if (commands != mutations)
      Fail(absl::StrFormat("effort: %d commands for %d mutations", commands, mutations));
  }

  void JudgeHeld() {
    const auto holds = [&](uint32_t node) {
      const tracker::TrackerNode& machine = *cluster_.host(node).machine();
      return machine.held_values().count() > 0 || machine.shipments().under_way() > 0;
    };
    const auto nobody = [&] {
      for (uint32_t node = 0; node < cluster_.size(); ++node) {
        if (holds(node)) return false;
      }
      return true;
    };
    // On the slowest link a value may still be on its way that is chosen without it.
    const tracker::Config config;
    const Duration longest =
        config.deadline + tracker::LongestCrossing(uint64_t{1} << 22) + crossing_ + Seconds(2);
    if (!RunUntilDone(world_, longest, nobody)) Fail("bounds: a value that was shipped is held for ever");
  }

  std::optional<uint32_t> Leader() {
    for (uint32_t node = 0; node < cluster_.size(); ++node) {
      if (cluster_.host(node).machine()->replica().is_leader()) return node;
    }
    return std::nullopt;
  }

  void Fail(const std::string& what) {
    world_.Fail(absl::StrFormat("%s (%d trackers, %d kbit/s, latency up to %d us)", what, cluster_.size(),
                                rate_ / 125, plan_.network.latency_max.micros()));
  }

  World& world_;
  RandomStream rng_;
  FaultPlan plan_;
  Network network_;
  TrackerCluster cluster_;
  Caller caller_;
  const uint64_t rate_;
  Duration crossing_{};  // of all large ones, at that rate
  Duration quiet_{};
  std::vector<uint64_t> small_;  // calls
};

void Run(World& world) { SlowLinks(world).Run(); }

}  // namespace

const Scenario kSlowLinks = {"slow_links",
                             "trackers with slow links, and registrations that take long to cross them", Run,
                             "//tools:simrun"};

}  // namespace bt::sim
