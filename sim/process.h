#pragma once

// Process: what fault injection sees of a node, whatever machine runs in it.

#include <cstdint>
#include <string>

#include "core/base/time.h"

namespace bt::sim {

class Process {
 public:
  virtual ~Process() = default;

  virtual void Start() = 0;       // recovers and starts a machine, if the disk lets it; only when not alive
  virtual void Crash() = 0;       // the machine, and what was not durable, is gone
  virtual void Stall() = 0;       // the world stops for it: inputs and timers pile up
  virtual void Resume() = 0;      // and come, all of them, now
  virtual void DamageDisk() = 0;  // only when not alive: what was durable is not all there any more
  virtual void JumpClock(Duration forward) = 0;
  virtual void SetPace(Duration per_input) = 0;  // how long each takes; 0: no time at all
  virtual void StopFaults() = 0;                 // no more of those of its disk, its clock and its pace
  virtual bool alive() const = 0;
  virtual bool stalled() const = 0;
  virtual bool damaged() const = 0;  // may never start again
  virtual bool writing() const = 0;  // something is not yet durable
  virtual uint32_t index() const = 0;
  virtual const std::string& name() const = 0;
};

}  // namespace bt::sim
