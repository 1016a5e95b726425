#pragma once

// ClaimsJudge: what a claim may look like to a lookup, by log time. A claim is there while it is renewed and
// no longer: it runs out one lifetime after its last renewal, and both ends are judged. A client that did not
// hear whether its change was made leaves two possibilities, of which the next lookup rules one out.
// Invariant: each key has at least one possibility; a lookup that fits none of them fails the world.
//
// Log time is known from outside as a lower bound alone: the highest any node has applied so far. An
// operation was therefore applied at a log time between the bound when it was asked for and the bound when
// its answer came.

#include <absl/container/btree_map.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/torrent/piece_map.h"
#include "sim/check/registry_history.h"
#include "sim/world.h"

namespace bt::sim {

class ClaimsJudge {
 public:
  struct Key {
    uint32_t client = 0;
    ContentNumber content = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  // What an offer or a withdrawal asks for.
  struct Change {
    bool offers = false;
    std::optional<PieceMap> pieces;  // none: a withdrawal of the whole claim
  };

  // `lifetime`: in force from the first change on.
  ClaimsJudge(World& world, Duration lifetime) : world_(world), lifetime_(lifetime) {}

  // The change was made at a log time between `asked` and `answered`.
  void Made(const Key& key, const Change& change, Instant asked, Instant answered);
  // Nobody can tell any more whether it was.
  void MadeOrNot(const Key& key, const Change& change, Instant asked, Instant answered);
  // A linearizable lookup. `seen`: the pieces of the claim it lists, if it lists one.
  void Seen(const Key& key, const std::optional<PieceMap>& seen, Instant asked, Instant answered);

  std::vector<Key> keys() const;

 private:
  struct Possibility {
    std::optional<PieceMap> pieces;
    Instant expires_first{};  // it runs out between these two
    Instant expires_last{};
    friend bool operator==(const Possibility&, const Possibility&) = default;
  };
  using Possibilities = std::vector<Possibility>;

  Possibilities After(const Possibilities& before, const Change& change, Instant asked,
                      Instant answered) const;
  Possibilities& Of(const Key& key);

  World& world_;
  const Duration lifetime_;
  absl::btree_map<Key, Possibilities> claims_;
};

}  // namespace bt::sim
