#pragma once

// StepWork: what a step of a node has done of one kind, in units, and for how much it has room. What is over
// the room is left for the next step (Timer::kRest), so that other inputs, heartbeats above all, never wait
// for all that has become possible at once. Work is counted and not timed: equal inputs give equal steps.
// A thing is begun while there is room, whatever it costs: so a step exceeds its room by one thing at most,
// and a room of 1 is enough for everything to be done some day.

#include <cstdint>

namespace bt::tracker {

class StepWork {
 public:
  // In units: a row of a table that is looked at is one.
  static constexpr uint64_t kAnswer = 16;  // beside its rows: finding the torrent, the way back to who asked
  static constexpr uint64_t kCommand = 4;  // applied, proposed or forwarded, beside its bytes and rows
  static constexpr uint64_t kRowBytes = 64;  // so many bytes, read or written, cost as much as a row

  explicit StepWork(uint64_t room = 0) : room_(room) {}

  void Answer() { spent_ += kAnswer; }
  void Row() { ++spent_; }
  void Rows(uint64_t rows) { spent_ += rows; }
  void Bytes(uint64_t bytes) { spent_ += bytes / kRowBytes; }
  void Command(uint64_t bytes) {
    spent_ += kCommand;
    Bytes(bytes);
  }

  bool left() const { return spent_ < room_; }
  uint64_t room() const { return room_; }
  uint64_t spent() const { return spent_; }

 private:
  uint64_t room_;
  uint64_t spent_ = 0;
};

// The budget of one step, Config::step_work, shared out: if one kind of work could take all of it, a node
// that is behind with one of them would do nothing of the others.
struct StepBudget {
  StepBudget() = default;
  explicit StepBudget(uint64_t units)
      : apply((units + 1) / 2),
        mutations((units + 7) / 8),
        looks((units + 7) / 8),
        reads((units + 15) / 16) {}

  StepWork apply;      // the log, and the answers to what it applies; snapshots that are read
  StepWork mutations;  // on their way into the log
  StepWork looks;      // at mutations that wait, for those that are overdue or to be sent again
  StepWork reads;      // answers from the state
};

}  // namespace bt::tracker
