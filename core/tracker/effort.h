#pragma once

// Effort: what the answers to queries cost, in rows of the registry that are looked at. A node answers
// linearizable reads until a step has cost Config::step_effort, and goes on in its next step, so that other
// inputs, heartbeats above all, never wait for all that has become answerable at once. Effort is counted and
// not timed: equal inputs give equal steps.

#include <cstdint>

namespace bt::tracker {

class Effort {
 public:
  // What an answer costs beside its rows: finding the torrent, and the way back to who asked.
  static constexpr uint64_t kAnswer = 16;
  // So many bytes of an answer cost as much as a row.
  static constexpr uint64_t kRowBytes = 64;

  void Answer() { rows_ += kAnswer; }
  void Row() { ++rows_; }
  void Bytes(uint64_t bytes) { rows_ += bytes / kRowBytes; }
  uint64_t rows() const { return rows_; }

 private:
  uint64_t rows_ = 0;
};

}  // namespace bt::tracker
