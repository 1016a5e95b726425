#include "core/tracker/bulk_sender.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::tracker {
namespace {

// A route may have become longer: what was measured before counts for this long.
constexpr Duration kPeriod = Seconds(10);
// Before anything was measured, and at least: receivers acknowledge at once.
constexpr Duration kPatienceMin = Milliseconds(500);
constexpr Duration kPatienceMax = Seconds(2);
// How long a repetition of a message that has arrived is of no use: its effect may wait for a disk.
constexpr Duration kArrivedKept = Seconds(1);
constexpr size_t kArrivedMax = 64;

}  // namespace

BulkSender::BulkSender(const Config& config, uint64_t first)
    : config_(config), next_number_(first), window_(config.chunk_bytes_min * 2) {}

size_t BulkSender::chunk_bytes() const {
  return std::clamp(window_ / 2, config_.chunk_bytes_min, config_.chunk_bytes_max);
}

bool BulkSender::Knows(uint64_t key, Instant now) const {
  const auto same = [&](const auto& one) { return one.key == key; };
  return std::any_of(messages_.begin(), messages_.end(), same) ||
         std::any_of(arrived_.begin(), arrived_.end(),
                     [&](const Arrived& one) { return one.key == key && now - one.when < kArrivedKept; });
}

bool BulkSender::Queue(uint64_t key, Slice message, Instant now) {
  CHECK(!message.empty());
  const bool room = messages_.size() < config_.bulk_messages_max &&
                    queued_bytes_ + message.size() <= config_.bulk_queued_bytes_max;
  if (!room && !messages_.empty()) {
    ++dropped_;
    return false;
  }
  if (messages_.empty()) progress_ = now;
  queued_bytes_ += message.size();
  Message& queued = messages_.emplace_back();
  queued.key = key;
  queued.bytes = std::move(message);
  queued.number = next_number_++;
  most_queued_.Note(messages_.size());
  most_queued_bytes_.Note(queued_bytes_);
  return true;
}

// What had come before it was forgotten is sent again; the rest goes on as it was.
void BulkSender::BeginAgain(Message& message, uint64_t assembly) {
  lost_.insert(lost_.end(), message.parts.begin(), message.parts.end());
  message.parts.clear();
  message.acknowledged = 0;
  message.forgotten = std::exchange(message.assembly, assembly);
}

BulkSender::Message* BulkSender::Find(uint64_t number) {
  for (Message& message : messages_) {
    if (message.number == number) return &message;
  }
  return nullptr;
}

bool BulkSender::Next(Instant now, Chunk& chunk) {
  Part part;
  if (!lost_.empty()) {
    part = lost_.front();
  } else {
    Message* least = nullptr;
    for (Message& message : messages_) {
      if (message.sent < message.bytes.size() && (least == nullptr || message.sent < least->sent))
        least = &message;
    }
    if (least == nullptr) return false;
    part = {.number = least->number,
            .offset = least->sent,
            .size = std::min<uint64_t>(chunk_bytes(), least->bytes.size() - least->sent)};
  }
  // One chunk may always be under way, also one that was cut when the window was larger.
  if (under_way_ > 0 && under_way_ + part.size > window_) {
    window_was_full_ = true;
    return false;
  }
  Message& message = *Find(part.number);
  if (!lost_.empty()) {
    lost_.pop_front();
    part.repeated = true;
  } else {
    message.sent += part.size;
  }
  part.when = now;
  under_way_ += part.size;
  flight_.push_back(part);
  chunk.message = part.number;
  chunk.size = message.bytes.size();
  chunk.offset = part.offset;
  chunk.bytes = message.bytes.Sub(part.offset, part.size);
  return true;
}

bool BulkSender::TakePart(std::deque<Part>& parts, const ChunkAck& ack, Part& taken) {
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const Part& part) {
    return part.number == ack.message && part.offset == ack.offset;
  });
  if (found == parts.end()) return false;
  taken = *found;
  parts.erase(found);
  return true;
}

bool BulkSender::OnAcknowledged(const ChunkAck& ack, Instant now) {
  Message* message = Find(ack.message);
  if (message == nullptr) return false;  // a repetition, or it was given up
  if (message->forgotten != 0 && ack.assembly == message->forgotten) return false;
  Part part;
  if (TakePart(flight_, ack, part)) {
    under_way_ -= part.size;
    if (!part.repeated) Measure(part, now);
  } else if (!TakePart(lost_, ack, part)) {
    return false;  // a repetition
  }
  silent_ = 0;
  progress_ = now;
  if (message->assembly == 0) message->assembly = ack.assembly;
  if (message->assembly != ack.assembly) BeginAgain(*message, ack.assembly);
  message->parts.push_back(part);
  message->acknowledged += part.size;
  if (message->acknowledged == message->bytes.size()) Complete(ack.message, now);
  return true;
}

void BulkSender::Complete(uint64_t number, Instant now) {
  const auto found = std::find_if(messages_.begin(), messages_.end(),
                                  [&](const Message& message) { return message.number == number; });
  queued_bytes_ -= found->bytes.size();
  arrived_.push_back({found->key, now});
  if (arrived_.size() > kArrivedMax) arrived_.pop_front();
  messages_.erase(found);
}

void BulkSender::Measure(const Part& part, Instant now) {
  const Duration took = now - part.when;
  if (now - period_ > kPeriod) {
    shortest_before_ = now - period_ > kPeriod * 2 ? Duration{INT64_MAX} : shortest_;
    shortest_ = Duration{INT64_MAX};
    period_ = now;
    // What stands in the buffers all the time would in the end be taken for the way itself. They run empty
    // once in each period (as in BBR's ProbeRTT).
    window_ = std::max(window_ / 4, config_.chunk_bytes_min);
  }
  shortest_ = std::min(shortest_, took);
  usual_ = usual_ == Duration{} ? took : (usual_ * 7 + took) / 8;
  const Duration queued = took - std::min(shortest_, shortest_before_);
  if (queued > config_.bulk_delay) {
    // Once for each way and back: what was sent before the window shrank tells nothing of the window now.
    if (part.when < shrunk_) return;
    shrunk_ = now;
    window_ = queued > config_.bulk_delay * 2 ? window_ / 2 : window_ - window_ / 8;
    window_ = std::max(window_, config_.chunk_bytes_min);
  } else if (queued < config_.bulk_delay / 4 && std::exchange(window_was_full_, false)) {
    window_ = std::min(window_ + part.size, config_.bulk_window_bytes_max);
  }
}

Duration BulkSender::Patience() const {
  const Duration usual = std::max(usual_ * 4, kPatienceMin);
  return std::min(usual * (int64_t{1} << std::min(silent_, 4u)), std::max(usual, kPatienceMax));
}

void BulkSender::OnTimer(Instant now) {
  if (messages_.empty()) return;
  if (now - progress_ >= config_.bulk_idle) return DropAll();
  bool overdue = false;
  while (!flight_.empty() && flight_.front().when + Patience() <= now) {
    overdue = true;
    under_way_ -= flight_.front().size;
    lost_.push_back(flight_.front());
    flight_.pop_front();
  }
  if (!overdue) return;
  ++silent_;
  window_ = config_.chunk_bytes_min;
}

void BulkSender::DropAll() {
  dropped_ += messages_.size();
  messages_.clear();
  flight_.clear();
  lost_.clear();
  queued_bytes_ = under_way_ = 0;
  silent_ = 0;
}

Instant BulkSender::next_timer() const {
  if (messages_.empty()) return Instant::Never();
  const Instant given_up = progress_ + config_.bulk_idle;
  return flight_.empty() ? given_up : std::min(given_up, flight_.front().when + Patience());
}

void BulkSender::CheckInvariants() const {
  CHECK(messages_.size() <= std::max<size_t>(config_.bulk_messages_max, 1));
  CHECK(queued_bytes_ <= config_.bulk_queued_bytes_max || messages_.size() == 1);
  CHECK(!messages_.empty() || (queued_bytes_ == 0 && under_way_ == 0 && flight_.empty() && lost_.empty()));
}

}  // namespace bt::tracker
