#pragma once

// Runs in processes of their own: a run that dies (a CHECK, a signal) is then a report like any other, and a
// run that does not end is ended. Campaigns and searches run here what they run.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sim/harness.h"

namespace bt::sim {

// A process that runs worlds one after the other and reports each. It ends with its owner.
class Apart {
 public:
  using ReportTo = std::function<void(const Report&)>;
  // `work` runs in the new process and hands over each report. A run in which a CHECK fails is reported with
  // the CHECK as its sentence, and is the process's last. After `seconds_max` the process dies; 0: no limit.
  explicit Apart(const std::function<void(const ReportTo&)>& work, uint32_t seconds_max = 0);
  ~Apart();
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

  // Readable when something has come or the process has ended.
  int descriptor() const { return in_; }
  // Reads what has come. False: the process has ended, and everything it told has been read.
  bool Read();
  // The next report that has come whole.
  std::optional<Report> Next();
  // After Read() was false: why the process has ended ("died: signal 11"), unless it was done or has reported
  // its death itself.
  std::optional<std::string> Death();

 private:
  int in_ = -1;
  pid_t pid_ = -1;
  std::string bytes_;
};

// One run in a process of its own. Of a run that died otherwise than by a CHECK the report has the seed and
// that sentence alone.
Report RunApart(const Scenario& scenario, uint64_t seed, const WorldOptions& options,
                uint32_t seconds_max = 0);

}  // namespace bt::sim
