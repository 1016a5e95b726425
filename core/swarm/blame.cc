#include "core/swarm/blame.h"

#include <utility>

#include "core/base/check.h"

namespace bt::swarm {
namespace {

void AddOnce(std::vector<Sender>& senders, const Sender& sender) {
  for (const Sender& known : senders) {
    if (known.Same(sender)) return;
  }
  senders.push_back(sender);
}

}  // namespace

std::vector<Sender> SendersOf(const PieceRecord& record) {
  std::vector<Sender> senders;
  std::vector<bool> seen(record.senders.size(), false);
  for (const uint16_t index : record.sender_of) {
    if (seen[index]) continue;
    seen[index] = true;
    AddOnce(senders, record.senders[index]);
  }
  return senders;
}

std::vector<Sender> Blame::Failed(PieceIndex piece, PieceRecord record) {
  std::vector<Sender> senders = SendersOf(record);
  CHECK(!senders.empty());
  if (senders.size() == 1) return senders;
  std::vector<PieceRecord>& attempts = attempts_[piece];
  if (attempts.size() == kAttemptsPerPiece) {
    blocks_ -= attempts.front().leaves.size();
    attempts.erase(attempts.begin());
  }
  blocks_ += record.leaves.size();
  attempts.push_back(std::move(record));
  while (blocks_ > kBlocksRemembered && attempts_.size() > 1) {
    const PieceIndex oldest = attempts_.begin()->first;
    Forget(oldest == piece ? std::next(attempts_.begin())->first : oldest);
  }
  return {};
}

std::vector<Sender> Blame::Passed(PieceIndex piece, const PieceRecord& record) {
  std::vector<Sender> liars;
  const auto found = attempts_.find(piece);
  if (found == attempts_.end()) return liars;
  for (const PieceRecord& attempt : found->second) {
    for (size_t block = 0; block < attempt.leaves.size(); ++block) {
      if (attempt.leaves[block] == record.leaves[block]) continue;
      AddOnce(liars, attempt.senders[attempt.sender_of[block]]);
    }
  }
  Forget(piece);
  return liars;
}

void Blame::Forget(PieceIndex piece) {
  const auto found = attempts_.find(piece);
  for (const PieceRecord& attempt : found->second) blocks_ -= attempt.leaves.size();
  attempts_.erase(found);
}

}  // namespace bt::swarm
