// One node of the lock service on real sockets. Node 1 is the keeper.

#include <memory>

#include "examples/lock_service/lock_service.h"
#include "net/node_process.h"

int main(int argc, char** argv) {
  using lock_service::LockService;
  const auto make = [](const bt::net::NodeFlags& node) {
    return std::make_unique<LockService>(node.self, bt::NodeId(1));
  };
  return bt::net::NodeMain<LockService>(
      {"lock_service", "One node of the lock service; node 1 keeps the lock"}, make, argc, argv);
}
