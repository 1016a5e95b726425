#include "sim/check/swarm_views.h"

#include <absl/strings/str_format.h>

#include <algorithm>

namespace bt::sim {
namespace {

void RemoveUnselected(const SwarmView& view, PieceMap& pieces) {
  if (view.unselected.size() == pieces.size()) pieces.RemoveAll(view.unselected);
}

std::string Disagree(const SwarmView& a, const SwarmView& b, const SwarmView::Peer& of_b,
                     const SwarmView::Peer& of_a) {
  // A have is told to those who are not known to have the piece; that a piece was lost, to nobody until it is
  // asked for.
  PieceMap untold = b.verified;
  untold.RemoveAll(a.verified);
  untold.RemoveAll(of_b.pieces);
  untold.RemoveAll(of_a.pieces);
  if (!untold.none()) {
    return absl::StrFormat("haves: %s has %d pieces that %s lacks and does not know of", b.name,
                           untold.count(), a.name);
  }
  PieceMap useful = of_b.pieces;
  useful.RemoveAll(a.verified);
  RemoveUnselected(a, useful);
  if (of_b.am_interested != (a.downloads && !useful.none())) {
    return absl::StrFormat("interest: %s knows of %d pieces of %s that it lacks, and is %s in it", a.name,
                           useful.count(), b.name, of_b.am_interested ? "interested" : "not interested");
  }
  if (of_b.am_interested != of_a.peer_interested) {
    return absl::StrFormat("interest: %s and %s do not agree whether %s is interested", a.name, b.name,
                           a.name);
  }
  if (of_b.am_choking != of_a.peer_choking) {
    return absl::StrFormat("choking: %s and %s do not agree whether %s chokes", a.name, b.name, a.name);
  }
  return "";
}

const SwarmView::Peer* Find(const SwarmView& of, const SwarmView& whom) {
  const auto found = std::find_if(of.peers.begin(), of.peers.end(),
                                  [&](const SwarmView::Peer& peer) { return peer.id == whom.id; });
  return found == of.peers.end() ? nullptr : &*found;
}

}  // namespace

PieceMap Available(const std::vector<SwarmView>& views) {
  PieceMap available;
  for (const SwarmView& view : views) {
    if (!view.trusted) continue;
    if (available.size() == 0) {
      available = view.verified;
    } else if (view.verified.size() != 0) {
      available.AddAll(view.verified);
    }
  }
  return available;
}

std::string Starved(const std::vector<SwarmView>& views) {
  const PieceMap available = Available(views);
  for (const SwarmView& view : views) {
    PieceMap lacking = available;
    // Of another size is what nobody who is trusted has, or who does not know the torrent yet.
    if (view.verified.size() == lacking.size()) lacking.RemoveAll(view.verified);
    RemoveUnselected(view, lacking);
    if (!view.downloads || lacking.none()) continue;
    return absl::StrFormat("%s has %d of the %d pieces that those around it have", view.name,
                           view.verified.count(), available.count());
  }
  return "";
}

std::string Disagreement(const std::vector<SwarmView>& views) {
  for (const SwarmView& a : views) {
    for (const SwarmView& b : views) {
      const SwarmView::Peer* of_b = Find(a, b);
      const SwarmView::Peer* of_a = Find(b, a);
      if (&a == &b || of_a == nullptr || of_b == nullptr) continue;
      // Who does not know the torrent yet knows nothing of pieces.
      const bool known = a.verified.size() != 0 && b.verified.size() != 0 && of_a->pieces.size() != 0 &&
                         of_b->pieces.size() != 0;
      if (!known) continue;
      if (std::string text = Disagree(a, b, *of_b, *of_a); !text.empty()) return text;
    }
  }
  return "";
}

}  // namespace bt::sim
