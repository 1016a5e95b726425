#include "core/tracker/bulk.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/tracker/bulk_receiver.h"
#include "core/tracker/bulk_sender.h"

namespace bt::tracker {
namespace {

constexpr uint64_t kMegabitPerSecond = 125'000;  // bytes

Slice Bytes(size_t size, char first = 'a') {
  std::string bytes(size, first);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(first + i * i % 251);
  return Slice::Own(std::move(bytes));
}

// A sender, a receiver, and a link between them that is first in, first out, and takes `way` besides. What
// comes back is small and takes `way` alone.
class Link {
 public:
  Link(uint64_t bytes_per_second, Duration way) : rate_(bytes_per_second), way_(way) {}

  void Queue(uint64_t key, Slice message) { EXPECT_TRUE(sender_->Queue(key, std::move(message), now_)); }
  BulkSender& sender() { return *sender_; }
  BulkReceiver& receiver() { return *receiver_; }
  Instant now() const { return now_; }
  const std::vector<Slice>& arrived() const { return arrived_; }
  const std::vector<Instant>& when() const { return when_; }
  // How long a heartbeat that is sent now would wait behind what has been sent before.
  Duration Wait() const { return std::max(free_ - now_, Duration{}); }
  Duration longest_wait() const { return longest_wait_; }
  void ForgetWaits() { longest_wait_ = {}; }

  void SetRate(uint64_t bytes_per_second) { rate_ = bytes_per_second; }
  void LoseEverySoOften(uint64_t one_in) { lose_one_in_ = one_in; }
  void Reorder() { reorder_ = true; }
  void Repeat() { repeat_ = true; }
  void Stop() { stopped_ = true; }
  void RestartReceiver() { receiver_.emplace(config_, receiver_lives_ += 1000); }
  // Everything that is under way is lost, as with a connection.
  void Break() {
    chunks_.clear();
    acks_.clear();
    free_ = now_;
  }

  void Run(Duration time) {
    const Instant end = now_ + time;
    for (; now_ < end; now_ = now_ + Milliseconds(1)) Tick();
  }
  // Until so many messages have arrived.
  void RunUntil(size_t messages, Duration bound = Seconds(600)) {
    for (const Instant end = now_ + bound; now_ < end && arrived_.size() < messages;
         now_ = now_ + Milliseconds(1)) {
      Tick();
    }
    ASSERT_EQ(arrived_.size(), messages);
  }

 private:
  template <class T>
  struct UnderWay {
    Instant arrives;
    T what;
  };

  void Tick() {
    if (sender_->next_timer() <= now_) sender_->OnTimer(now_);
    Drain(chunks_, [&](const Chunk& chunk) {
      BulkReceiver::Taken taken = receiver_->Take(chunk, now_);
      if (taken.message) {
        arrived_.push_back(*taken.message);
        when_.push_back(now_);
      }
      if (taken.ack) acks_.push_back({now_ + way_, *taken.ack});
      receiver_->CheckInvariants();
    });
    Drain(acks_, [&](const ChunkAck& ack) { sender_->OnAcknowledged(ack, now_); });
    for (Chunk chunk; sender_->Next(now_, chunk);) {
      free_ = std::max(free_, now_) +
              Seconds(1) * static_cast<int64_t>(chunk.bytes.size()) / static_cast<int64_t>(rate_);
      longest_wait_ = std::max(longest_wait_, Wait());
      if (stopped_ || (lose_one_in_ > 0 && rng_.Below(lose_one_in_) == 0)) continue;
      const Duration extra = reorder_ ? rng_.Between(Duration{}, Milliseconds(30)) : Duration{};
      chunks_.push_back({free_ + way_ + extra, chunk});
      if (repeat_) chunks_.push_back({free_ + way_ + rng_.Between(Duration{}, Seconds(2)), chunk});
    }
    sender_->CheckInvariants();
  }
  template <class T, class Take>
  void Drain(std::deque<UnderWay<T>>& queue, Take take) {
    std::vector<T> due;
    std::erase_if(queue, [&](UnderWay<T>& one) {
      if (one.arrives > now_) return false;
      due.push_back(one.what);
      return true;
    });
    for (const T& one : due) take(one);
  }

  const Config config_;
  uint64_t rate_;
  const Duration way_;
  Rng rng_{7};
  std::optional<BulkSender> sender_{std::in_place, config_, 1};
  std::optional<BulkReceiver> receiver_{std::in_place, config_, 1};
  uint64_t receiver_lives_ = 1;
  Instant now_{Seconds(1).ns};
  Instant free_{};
  Duration longest_wait_{};
  std::deque<UnderWay<Chunk>> chunks_;
  std::deque<UnderWay<ChunkAck>> acks_;
  std::vector<Slice> arrived_;
  std::vector<Instant> when_;
  uint64_t lose_one_in_ = 0;
  bool reorder_ = false;
  bool repeat_ = false;
  bool stopped_ = false;
};

TEST(Bulk, AMessageArrivesAsItWas) {
  Link link(100 * kMegabitPerSecond, Milliseconds(1));
  const Slice message = Bytes(4u << 20);
  link.Queue(1, message);
  link.RunUntil(1);
  EXPECT_EQ(link.arrived()[0], message);
  link.Run(Seconds(1));
  EXPECT_TRUE(link.sender().idle());
  EXPECT_EQ(link.receiver().held_bytes(), 0u);
}

TEST(Bulk, ChunksMayBeLostReorderedAndRepeated) {
  for (const uint64_t one_in : {0, 4, 20}) {
    Link link(100 * kMegabitPerSecond, Milliseconds(1));
    link.LoseEverySoOften(one_in);
    link.Reorder();
    link.Repeat();
    const std::vector<Slice> messages = {Bytes(300'000), Bytes(20'000, 'b'), Bytes(100'000, 'c')};
    for (size_t i = 0; i < messages.size(); ++i) link.Queue(i, messages[i]);
    link.RunUntil(messages.size());
    for (const Slice& message : messages) {
      EXPECT_EQ(std::count(link.arrived().begin(), link.arrived().end(), message), 1);
    }
    link.Run(Seconds(5));
    EXPECT_TRUE(link.sender().idle());
    EXPECT_EQ(link.arrived().size(), messages.size());  // no repetition makes another one
  }
}

TEST(Bulk, ABrokenConnectionIsGoneOnOver) {
  Link link(kMegabitPerSecond, Milliseconds(5));
  const Slice message = Bytes(200'000);
  link.Queue(1, message);
  for (int i = 0; i < 3; ++i) {
    link.Run(Milliseconds(500));
    link.Break();
  }
  link.RunUntil(1, Seconds(10));
  EXPECT_EQ(link.arrived()[0], message);
}

TEST(Bulk, AReceiverThatHasForgottenGetsItFromTheBeginning) {
  Link link(kMegabitPerSecond, Milliseconds(5));
  const Slice message = Bytes(100'000);
  link.Queue(1, message);
  link.Run(Milliseconds(400));
  EXPECT_GT(link.receiver().held_bytes(), 0u);
  link.RestartReceiver();
  link.RunUntil(1, Seconds(5));
  EXPECT_EQ(link.arrived()[0], message);
}

// As many messages as a receiver puts together at a time: what it forgets of one takes no other's place.
TEST(Bulk, AReceiverThatForgetsAmongAsManyMessagesAsItHasRoomForGetsThemAll) {
  Link link(10 * kMegabitPerSecond, Milliseconds(5));
  const size_t messages = Config().bulk_messages_max;
  for (size_t key = 0; key < messages; ++key) link.Queue(key, Bytes(10'000, static_cast<char>(key)));
  link.Run(Milliseconds(400));
  link.RestartReceiver();
  const uint64_t refused = link.receiver().refused();
  link.RunUntil(messages, Seconds(6));
  EXPECT_EQ(link.receiver().refused(), refused);
  link.Run(Seconds(5));
  EXPECT_TRUE(link.sender().idle());
}

// Two chunks of the smallest length take 66 ms at the lowest rate; at any other, what waits is near 50 ms.
TEST(Bulk, WhatIsShortWaitsForTwoChunksAtMost) {
  for (uint64_t rate = kMegabitPerSecond; rate <= 1000 * kMegabitPerSecond; rate *= 10) {
    for (const Duration way : {Milliseconds(1), Milliseconds(25)}) {
      Link link(rate, way);
      link.Queue(1, Bytes(8u << 20));
      link.RunUntil(1);
      EXPECT_LT(link.longest_wait(), Milliseconds(150)) << rate;
    }
  }
}

TEST(Bulk, ALinkThatBecomesSlowerIsGivenLess) {
  Link link(100 * kMegabitPerSecond, Milliseconds(5));
  for (uint64_t key = 0; key < 3; ++key) link.Queue(key, Bytes(8u << 20, static_cast<char>('a' + key)));
  link.Run(Milliseconds(500));
  EXPECT_GT(link.sender().chunk_bytes(), 64u << 10);
  link.SetRate(10 * kMegabitPerSecond);
  link.Run(Seconds(2));
  link.ForgetWaits();
  link.Run(Seconds(4));
  EXPECT_LT(link.longest_wait(), Milliseconds(150));
  EXPECT_FALSE(link.sender().idle());
}

TEST(Bulk, ALinkIsUsed) {
  for (uint64_t rate = kMegabitPerSecond; rate <= 100 * kMegabitPerSecond; rate *= 10) {
    Link link(rate, Milliseconds(10));
    const Instant begun = link.now();
    constexpr int64_t kBytes = 8 << 20;
    link.Queue(1, Bytes(kBytes));
    link.RunUntil(1);
    const Duration alone = Seconds(kBytes) / static_cast<int64_t>(rate);
    EXPECT_LT(link.now() - begun, alone * 3 / 2 + Milliseconds(500)) << rate;
  }
}

TEST(Bulk, AShortOneOvertakesALongOne) {
  Link link(kMegabitPerSecond, Milliseconds(5));
  link.Queue(1, Bytes(4u << 20));
  link.Run(Seconds(2));
  link.Queue(2, Bytes(8'000));
  const Instant queued = link.now();
  link.RunUntil(1);
  EXPECT_EQ(link.arrived()[0].size(), 8'000u);
  EXPECT_LT(link.now() - queued, Milliseconds(300));
}

TEST(Bulk, ARepetitionIsKnownWhileTheFirstIsUnderWayAndForAWhileAfterwards) {
  Link link(kMegabitPerSecond, Milliseconds(5));
  EXPECT_FALSE(link.sender().Knows(1, link.now()));
  link.Queue(1, Bytes(20'000));
  EXPECT_TRUE(link.sender().Knows(1, link.now()));
  link.RunUntil(1);
  link.Run(Milliseconds(20));
  EXPECT_TRUE(link.sender().idle());
  EXPECT_TRUE(link.sender().Knows(1, link.now()));
  link.Run(Seconds(2));
  EXPECT_FALSE(link.sender().Knows(1, link.now()));
}

TEST(Bulk, APeerThatTakesNothingCostsNoMoreThanTheLimitAndIsGivenUp) {
  Link link(kMegabitPerSecond, Milliseconds(5));
  link.Stop();
  const Config config;
  const Slice message = Bytes(1u << 20);
  for (uint64_t key = 0; key < 100; ++key) link.sender().Queue(key, message, link.now());
  EXPECT_LE(link.sender().queued_bytes(), config.bulk_queued_bytes_max);
  EXPECT_EQ(link.sender().dropped(), 68u);
  EXPECT_EQ(link.sender().most_queued().value(), 32u);
  EXPECT_EQ(link.sender().most_queued_bytes().value(), config.bulk_queued_bytes_max);
  link.Run(Seconds(1));
  EXPECT_LE(link.sender().under_way(), link.sender().window());
  link.Run(config.bulk_idle + Seconds(1));
  EXPECT_TRUE(link.sender().idle());
  EXPECT_EQ(link.sender().queued_bytes(), 0u);
  EXPECT_EQ(link.sender().next_timer(), Instant::Never());
}

TEST(Bulk, NoMoreMessagesAreQueuedThanMayBe) {
  Link link(kMegabitPerSecond, Milliseconds(5));
  link.Stop();
  const Config config;
  for (uint64_t key = 0; key < config.bulk_messages_max + 5; ++key)
    EXPECT_EQ(link.sender().Queue(key, Bytes(5000), link.now()), key < config.bulk_messages_max);
  EXPECT_EQ(link.sender().dropped(), 5u);
  EXPECT_EQ(link.sender().most_queued().value(), config.bulk_messages_max);
}

TEST(Bulk, AReceiverHoldsNoMoreThanTheLimit) {
  const Config config;
  BulkReceiver receiver(config, 1);
  const Instant now{Seconds(100).ns};
  Chunk chunk{.size = 1u << 20, .bytes = Bytes(4096)};
  for (chunk.message = 1; chunk.message <= 1000; ++chunk.message) receiver.Take(chunk, now);
  EXPECT_LE(receiver.held_bytes(), config.bulk_queued_bytes_max);
  EXPECT_EQ(receiver.refused(), 968u);
  // What nothing comes for makes room for another, long before it is given up for itself.
  EXPECT_FALSE(receiver.Take(chunk, now + Milliseconds(999)).ack.has_value());
  EXPECT_TRUE(receiver.Take(chunk, now + Seconds(1)).ack.has_value());
  EXPECT_EQ(receiver.held_bytes(), 1u << 20);
  EXPECT_EQ(receiver.most_held().value(), 32u);
  EXPECT_EQ(receiver.most_held_bytes().value(), config.bulk_queued_bytes_max);
}

// Each member that is replaced has had an id of its own.
TEST(Bulk, OfNodesThatHaveComeAndGoneNoMoreThanTheLimitAreRemembered) {
  const Config config;
  Bulk bulk(config);
  bulk.Start(1, WriteSeq(0));
  Rng rng(1);
  Outbox<Protocol> out;
  Context<Protocol> context{Instant{}, rng, out};
  const Chunk begun{.message = 1, .size = 10'000, .bytes = Bytes(4096)};
  bulk.OnChunk(NodeId(1000), begun, context);  // and goes on
  for (uint32_t node = 1; node <= 3 * Bulk::kPeersMax; ++node)
    bulk.OnAcknowledged(NodeId(node), ChunkAck{.message = 1}, context.now);
  EXPECT_EQ(bulk.peers(), Bulk::kPeersMax);
  EXPECT_EQ(bulk.now().messages, 1u) << "who has something under way is remembered";
  bulk.CheckInvariants();
}

TEST(Bulk, ImpossibleChunksAreRefused) {
  const Config config;
  BulkReceiver receiver(config, 1);
  const Instant now{Seconds(100).ns};
  const Slice bytes = Bytes(100);
  const Chunk impossible[] = {
      {.message = 1, .size = 0, .offset = 0, .bytes = Slice()},
      {.message = 2, .size = 50, .offset = 0, .bytes = bytes},
      {.message = 3, .size = 150, .offset = 51, .bytes = bytes},
      {.message = 4, .size = 150, .offset = UINT64_MAX, .bytes = bytes},
      {.message = 5, .size = UINT64_MAX, .offset = UINT64_MAX - 100, .bytes = bytes},
      {.message = 6, .size = kLongMessageBytesMax + 1, .offset = 0, .bytes = bytes},
  };
  for (const Chunk& chunk : impossible) EXPECT_FALSE(receiver.Take(chunk, now).ack.has_value());
  EXPECT_EQ(receiver.held_bytes(), 0u);
  // Another length than the message had before.
  EXPECT_TRUE(receiver.Take({.message = 7, .size = 300, .offset = 0, .bytes = bytes}, now).ack.has_value());
  EXPECT_FALSE(
      receiver.Take({.message = 7, .size = 301, .offset = 100, .bytes = bytes}, now).ack.has_value());
}

}  // namespace
}  // namespace bt::tracker
