#pragma once

// NodeRecording: --record. What the node was told and did in this life, in a file that `simrun conform` steps
// again (docs/incidents.md). What goes wrong with it is a warning: a node is there to serve.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/machine/step_recorder.h"
#include "core/tracker/config.h"
#include "core/tracker/node.h"
#include "net/host.h"
#include "net/journal.h"
#include "net/loop.h"
#include "net/recording_file.h"
#include "nodes/tracker/memory.h"
#include "nodes/tracker/node_state.h"
#include "nodes/tracker/tracker_flags.h"

namespace bt::nodes {

// What the machine is made with.
tracker::Config NodeConfig(NodeId self, const NodeState& state, const TrackerFlags& flags,
                           const LocalLimits& limits);

class NodeRecording {
 public:
  using Recorder = StepRecorder<tracker::Protocol>;
  // Of the machine that is made with `config` and seed() and begins with `recovery`; of nothing where the
  // flags do not ask for it. `warn` gets lines for the operator. The loop must outlive it.
  NodeRecording(net::Loop& loop, const TrackerFlags& flags, const tracker::Config& config,
                const net::JournalRecovery& recovery, std::function<void(std::string)> warn);
  NodeRecording(const NodeRecording&) = delete;
  NodeRecording& operator=(const NodeRecording&) = delete;

  uint64_t seed() const { return seed_; }
  // nullptr: nothing is recorded.
  Recorder* recorder() { return recorder_ ? &*recorder_ : nullptr; }

  // The node ends; `machine` is its digest.
  void Finish(std::string why, uint64_t machine);

 private:
  void Flush();

  net::Loop& loop_;
  const std::function<void(std::string)> warn_;
  const uint64_t seed_ = net::SystemSeed();
  std::unique_ptr<net::RecordingFile> file_;
  std::optional<Recorder> recorder_;
  net::Timer flush_{loop_, [this] { Flush(); }};
};

}  // namespace bt::nodes
