#include "core/swarm/web_seeds.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::swarm {

WebSeeds::WebSeeds(const Torrent& torrent, Downloads& downloads, const Config& config)
    : torrent_(torrent),
      downloads_(downloads),
      patience_(config.timing.web_seed_patience),
      seeds_(std::min(config.web_seeds, kWebSeedsLimit)) {}

bool WebSeeds::hope() const {
  return std::any_of(seeds_.begin(), seeds_.end(), [](const Seed& seed) { return !seed.given_up; });
}

uint32_t WebSeeds::busy() const {
  return static_cast<uint32_t>(
      std::count_if(seeds_.begin(), seeds_.end(), [](const Seed& seed) { return seed.run.count > 0; }));
}

void WebSeeds::Poll(Ctx& context) {
  if (seeds_.empty()) return;
  if (began_ == Instant::Never()) began_ = context.now;
  for (uint32_t i = 0; i < seeds_.size(); ++i) {
    Seed& seed = seeds_[i];
    if (seed.ask == 0 || context.now < seed.since + kWebAnswerTimeout) continue;
    // It may be slow: less may come in time.
    seed.range_bytes = std::max(kRangeBytesMin, seed.range_bytes / 4);
    Strike(i, "no answer in time", context);
  }
  for (uint32_t i = 0; i < seeds_.size(); ++i) {
    if (seeds_[i].waits() && downloads_.throttle().Open(context.now)) Ask(i, context);
  }
  const Instant due = std::max(began_, downloads_.last_arrival()) + patience_;
  if (context.now >= due) AskThoseThatRest(context);
  Arm(due, context);
}

void WebSeeds::AskThoseThatRest(Ctx& context) {
  // Who has answered wrongly comes after those who have not: a server that is silent for as long as it may be
  // must not keep all that is missing from one that would give it.
  std::vector<uint32_t> resting;
  for (uint32_t i = 0; i < seeds_.size(); ++i) {
    const Seed& seed = seeds_[i];
    if (seed.rests() && seed.retry_at <= context.now) resting.push_back(i);
  }
  std::stable_sort(resting.begin(), resting.end(),
                   [&](uint32_t a, uint32_t b) { return seeds_[a].strikes < seeds_[b].strikes; });
  for (const uint32_t i : resting) {
    if (busy() == kWebRangesAtOnce || !downloads_.throttle().Open(context.now)) return;
    const std::optional<Downloads::Run> run = downloads_.TakeRun(i, seeds_[i].range_bytes, context.now);
    if (!run) return;
    seeds_[i].run = *run;
    Ask(i, context);
  }
}

// `due`: when peers will have been given time enough. A server that could be asked and is not, because
// nothing can be taken, waits for a step that frees something: it has no time of its own.
void WebSeeds::Arm(Instant due, Ctx& context) const {
  Instant next = due > context.now ? due : Instant::Never();
  for (const Seed& seed : seeds_) {
    if (seed.ask != 0) next = std::min(next, seed.since + kWebAnswerTimeout);
    if (seed.rests() && seed.retry_at > context.now) next = std::min(next, seed.retry_at);
    const bool could = seed.waits() || (seed.rests() && seed.retry_at <= context.now && due <= context.now);
    const Throttle& throttle = downloads_.throttle();
    if (could && !throttle.Open(context.now)) next = std::min(next, throttle.next(context.now));
  }
  if (next == Instant::Never() || !hope()) {
    context.out.Disarm(Protocol::Timer::kWebSeeds);
  } else {
    context.out.Arm(Protocol::Timer::kWebSeeds, next);
  }
}

// The next range of the run that the seed has taken. A run is of one file, because a server knows files.
void WebSeeds::Ask(uint32_t index, Ctx& context) {
  Seed& seed = seeds_[index];
  const Metainfo& metainfo = torrent_.metainfo();
  const uint32_t first = seed.run.first.value();
  const auto file = metainfo.tree.empty() ? 0 : static_cast<uint32_t>(metainfo.tree.FileOf(first));
  const uint64_t before = metainfo.tree.empty() ? first : first - metainfo.tree.first_piece(file);
  seed.ask = ++last_ask_;
  seed.since = context.now;
  // Of a limited rate no more than should go at once.
  Throttle& throttle = downloads_.throttle();
  const uint64_t burst = std::max<uint64_t>(1, throttle.burst() / kBlockSize) * kBlockSize;
  seed.length =
      static_cast<uint32_t>(std::min<uint64_t>({seed.range_bytes, burst, seed.run.bytes - seed.begun}));
  throttle.Spend(seed.length, context.now);
  context.out.Send(NodeId(index),
                   FetchRange{seed.ask, file, before * metainfo.piece_length + seed.begun, seed.length});
}

void WebSeeds::Answered(const RangeFetched& answer, Ctx& context) {
  const auto found = std::find_if(seeds_.begin(), seeds_.end(),
                                  [&](const Seed& seed) { return seed.ask != 0 && seed.ask == answer.id; });
  if (found == seeds_.end()) return;
  Seed& seed = *found;
  const auto index = static_cast<uint32_t>(found - seeds_.begin());
  if (!answer.why.empty()) return Strike(index, answer.why, context);
  if (answer.bytes.size() != seed.length) {
    return Strike(index, absl::StrCat("sent ", answer.bytes.size(), " bytes instead of ", seed.length),
                  context);
  }
  seed.ask = 0;
  seed.strikes = 0;
  bytes_received_ += seed.length;
  downloads_.StoreRun(seed.run, seed.begun, answer.bytes, {WebSeedAddress(index), LinkId(0)}, context);
  seed.begun += seed.length;
  if (seed.begun < seed.run.bytes) return;  // Poll asks for the next range
  seed.run = {};
  seed.begun = 0;
}

// Also of what it has brought and what is not whole yet it is the owner no more: others may finish it.
void WebSeeds::LetGo(uint32_t index) {
  Seed& seed = seeds_[index];
  seed.ask = 0;
  seed.run = {};
  seed.begun = 0;
  downloads_.GiveUpRuns(index);
}

void WebSeeds::Strike(uint32_t index, std::string why, Ctx& context) {
  Seed& seed = seeds_[index];
  LetGo(index);
  if (++seed.strikes >= kWebStrikes) {
    return GiveUp(index, std::move(why), WebSeedTrouble::Verdict::kGivenUp, context);
  }
  seed.retry_at = context.now + kBackoffMin * (int64_t{1} << (seed.strikes - 1));
  context.out.Note(WebSeedTrouble{index, std::move(why), WebSeedTrouble::Verdict::kAskedAgain});
}

void WebSeeds::GiveUp(uint32_t index, std::string why, WebSeedTrouble::Verdict verdict, Ctx& context) {
  seeds_[index].given_up = true;
  context.out.Note(WebSeedTrouble{index, std::move(why), verdict});
}

void WebSeeds::Convict(const Sender& sender, PieceIndex piece, Ctx& context) {
  const uint32_t index = sender.address.ip.back();
  if (index >= seeds_.size()) return;
  LetGo(index);
  if (seeds_[index].given_up) return;
  GiveUp(index, absl::StrCat("sent wrong bytes for piece ", piece.value()), WebSeedTrouble::Verdict::kLied,
         context);
}

void WebSeeds::End(Ctx& context) {
  for (Seed& seed : seeds_) seed.ask = 0;
  context.out.Disarm(Protocol::Timer::kWebSeeds);
}

void WebSeeds::CheckInvariants() const {
  CHECK(busy() <= kWebRangesAtOnce);
  for (const Seed& seed : seeds_) {
    CHECK(seed.length <= kWebRangeBytes && seed.begun <= seed.run.bytes);
    CHECK(seed.ask == 0 || (!seed.given_up && seed.run.count > 0));
  }
}

uint64_t WebSeeds::Digest() const {
  RollingDigest digest;
  digest.Add(last_ask_, bytes_received_);
  for (const Seed& seed : seeds_) digest.Add(seed.ask, seed.begun, seed.strikes);
  return digest.value();
}

}  // namespace bt::swarm
