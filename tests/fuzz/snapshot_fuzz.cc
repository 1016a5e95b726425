// Parts of snapshots and backups: bytes of other nodes, disks and people.

#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/tracker/state_builder.h"
#include "nodes/shared/backup.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  if ((input.Byte() & 1) != 0) {
    const auto backup = bt::nodes::DecodeBackup(bt::Slice::Copy(input.rest()), "backup");
    CHECK(backup.ok() || !backup.status().message().empty());
    return 0;
  }
  std::vector<bt::Slice> parts;
  while (!input.empty()) parts.push_back(bt::Slice::Copy(input.Piece()));
  const auto state = bt::tracker::ReadState(parts);
  if (state.ok()) state->CheckInvariants();
  return 0;
}
