#pragma once

// Process: what fault injection sees of a node, whatever machine runs in it.

#include <cstdint>
#include <string>

#include "core/base/time.h"

namespace bt::sim {

class Process {
 public:
  virtual ~Process() = default;

  virtual void Start() = 0;     // recovers and starts a machine; only when not alive
  virtual void Crash() = 0;     // the machine, and what was not durable, is gone
  virtual void Stall() = 0;     // the world stops for it: inputs and timers pile up
  virtual void Resume() = 0;    // and come, all of them, now
  virtual void HealDisk() = 0;  // no more slow syncs
  virtual bool alive() const = 0;
  virtual bool stalled() const = 0;
  virtual bool writing() const = 0;  // something is not yet durable
  virtual uint32_t index() const = 0;
  virtual const std::string& name() const = 0;
};

}  // namespace bt::sim
