#pragma once

// `simrun conform FILE...`: recordings of real tracker nodes, stepped again (docs/incidents.md).

#include "tools/simrun/simrun_main.h"

namespace bt::sim {

SimrunCommand ConformCommand();

}  // namespace bt::sim
