#include "sim/check/claims.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace bt::sim {
namespace {

// A claim of no pieces, which a lookup may or may not mention.
bool Empty(const std::optional<PieceMap>& pieces) { return !pieces.has_value() || pieces->none(); }

std::string PiecesText(const std::optional<PieceMap>& pieces) {
  return pieces.has_value() ? absl::StrFormat("%d of %d pieces", pieces->count(), pieces->size())
                            : "no claim";
}

}  // namespace

ClaimsJudge::Possibilities& ClaimsJudge::Of(const Key& key) {
  Possibilities& possible = claims_[key];
  if (possible.empty()) possible.emplace_back();
  return possible;
}

ClaimsJudge::Possibilities ClaimsJudge::After(const Possibilities& before, const Change& change,
                                              Instant asked, Instant answered) const {
  Possibilities after;
  const auto add = [&](Possibility one) {
    if (std::find(after.begin(), after.end(), one) == after.end()) after.push_back(std::move(one));
  };
  for (const Possibility& old : before) {
    if (!change.offers) {
      Possibility rest = old;
      if (!change.pieces.has_value()) {
        rest = Possibility();
      } else if (rest.pieces.has_value()) {
        rest.pieces->RemoveAll(*change.pieces);
      }
      add(std::move(rest));
      continue;
    }
    const bool may_live = old.pieces.has_value() && old.expires_last > asked;
    const bool may_be_over = !old.pieces.has_value() || old.expires_first <= answered;
    Possibility renewed{*change.pieces, asked + lifetime_, answered + lifetime_};
    if (may_live) {
      Possibility more = renewed;
      more.pieces->AddAll(*old.pieces);
      add(std::move(more));
    }
    // An offer brings no claim back that has run out: it begins a new one.
    if (may_be_over) add(std::move(renewed));
  }
  return after;
}

void ClaimsJudge::Made(const Key& key, const Change& change, Instant asked, Instant answered) {
  Possibilities& possible = Of(key);
  possible = After(possible, change, asked, answered);
}

void ClaimsJudge::MadeOrNot(const Key& key, const Change& change, Instant asked, Instant answered) {
  Possibilities& possible = Of(key);
  for (Possibility& made : After(possible, change, asked, answered)) {
    if (std::find(possible.begin(), possible.end(), made) == possible.end()) {
      possible.push_back(std::move(made));
    }
  }
}

void ClaimsJudge::Seen(const Key& key, const std::optional<PieceMap>& seen, Instant asked, Instant answered) {
  Possibilities& possible = Of(key);
  const auto explains = [&](const Possibility& one) {
    const bool may_be_over = Empty(one.pieces) || one.expires_first <= answered;
    if (Empty(seen)) return may_be_over;
    return one.pieces == seen && one.expires_last > asked;
  };
  Possibilities left;
  std::copy_if(possible.begin(), possible.end(), std::back_inserter(left), explains);
  if (left.empty()) {
    const Possibility& last = possible.back();
    world_.Fail(absl::StrFormat(
        "claims: client %d has %s of content %d until between log times %s and %s, and a linearizable lookup "
        "between log times %s and %s shows %s",
        key.client, PiecesText(last.pieces), key.content, TimeText(last.expires_first),
        TimeText(last.expires_last), TimeText(asked), TimeText(answered), PiecesText(seen)));
    return;
  }
  possible = std::move(left);
}

std::vector<ClaimsJudge::Key> ClaimsJudge::keys() const {
  std::vector<Key> keys;
  for (const auto& [key, possible] : claims_) keys.push_back(key);
  return keys;
}

}  // namespace bt::sim
