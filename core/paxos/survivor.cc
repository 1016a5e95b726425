#include "core/paxos/survivor.h"

#include <utility>

#include "core/paxos/acceptor.h"

namespace bt::paxos {

Survivor ReadSurvivor(const std::vector<JournalRecord>& records) {
  Survivor survivor{.snapshot = FindSnapshot(records)};
  const Config config;  // who the members were decides nothing here
  const Snapshot& snapshot = survivor.snapshot;
  Acceptor acceptor(config, {snapshot.prefix, snapshot.stamp, snapshot.epochs});
  Outbox<Protocol> out;  // goes nowhere: the journal stays as it is
  acceptor.Recover(records, out);
  survivor.known = acceptor.chosen();
  while (const LogEntry* entry = acceptor.log().Find(acceptor.chosen().next())) {
    const Slice value = entry->value;
    acceptor.Learn(value, out);
  }
  survivor.decided = acceptor.TakeDecided();
  const ChosenPrefix& prefix = acceptor.prefix();
  survivor.end = {prefix.chosen(), prefix.chain()};
  survivor.stamp = prefix.stamp();
  return survivor;
}

}  // namespace bt::paxos
