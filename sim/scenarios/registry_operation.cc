#include "sim/scenarios/registry_operation.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace bt::sim {
namespace {

using What = RegistryOperation::What;

// Every other one is a tree.
Metainfo MakeContent(ContentNumber number) {
  const uint64_t length = uint64_t{number} * 3 * kPieceLengthMin - number * 1000;
  const uint64_t first = kPieceLengthMin + number;
  FileTree tree(
      {{{"a"}, first, {}, false}, {{"b", "empty"}, 0, {}, true}, {{"b", "rest"}, length - first, {}, false}},
      kPieceLengthMin);
  MetainfoBuilder builder = number % 2 == 0 ? MetainfoBuilder("unnamed", std::move(tree), kPieceLengthMin)
                                            : MetainfoBuilder("unnamed", length, kPieceLengthMin);
  std::string bytes(length, static_cast<char>(number));
  for (uint64_t i = 0; i < length; i += 997) bytes[i] = static_cast<char>(i * number);
  builder.Update(bytes);
  return builder.Finish();
}

// By content, by a name that is known to mean it, or by an info-hash of such a name.
tracker_api::TorrentKey DrawKey(RandomStream& rng, const RegistryHistory& history, ContentNumber content) {
  if (rng.Chance(1, 3)) {
    for (const auto& [name, bound] : history.bindings()) {
      if (bound != content) continue;
      if (name == kHashedName && rng.Chance(1, 2)) return TestInfoHash(content);
      return name;
    }
  }
  return TestContent(content).content();
}

bool Registered(const RegistryHistory& history, ContentNumber content) {
  const auto& bindings = history.bindings();
  return std::any_of(bindings.begin(), bindings.end(),
                     [&](const auto& binding) { return binding.second == content; });
}

// None of these is sorted, disjoint, not adjacent and within the pieces.
std::vector<PieceRange> DrawBadRanges(RandomStream& rng, uint32_t pieces) {
  switch (rng.Below(5)) {
    case 0:
      return {{PieceIndex(0), pieces + 1}};  // of a content with more pieces
    case 1:
      return {{PieceIndex(pieces), 1}};
    case 2:
      return {{PieceIndex(0), 0}};
    case 3:
      return {{PieceIndex(1), 1}, {PieceIndex(0), 1}};
    default:
      return {{PieceIndex(UINT32_MAX), UINT32_MAX}};
  }
}

void DrawClaimChange(RandomStream& rng, const RegistryHistory& history, const RegistryAsker& asker,
                     RegistryOperation& op) {
  const Metainfo& metainfo = TestContent(op.content);
  if (!rng.Chance(1, 4)) {
    op.pieces = PieceMap(metainfo.piece_count());
    for (uint32_t i = 0; i < metainfo.piece_count(); ++i) {
      if (rng.Chance(1, 2)) op.pieces->Add(PieceIndex(i));
    }
    // An offer of nothing renews.
    if (op.pieces->none() && !(op.what == What::kOffer && rng.Chance(1, 2))) op.pieces->Add(PieceIndex(0));
  } else if (op.what == What::kOffer) {
    op.pieces = PieceMap::All(metainfo.piece_count());
  }
  std::vector<PieceRange> ranges = op.pieces ? op.pieces->ToRanges() : std::vector<PieceRange>();
  Address peer = asker.peer;
  if (rng.Chance(1, 12)) {
    op.malformed = true;
    if (op.what == What::kOffer && rng.Chance(1, 3)) {
      op.never_logged = true;
      peer = asker.nobody;
    } else {
      ranges = DrawBadRanges(rng, metainfo.piece_count());
    }
  }
  tracker_api::TorrentKey key = DrawKey(rng, history, op.content);
  if (op.what == What::kOffer) {
    op.request = tracker_api::Offer{asker.next, std::move(key), peer, std::move(ranges)};
  } else {
    op.request = tracker_api::Withdraw{asker.next, std::move(key), peer, std::move(ranges)};
  }
}

void DrawFetch(RandomStream& rng, const RegistryHistory& history, RegistryOperation& op) {
  op.linearizable = !rng.Chance(1, 5);
  tracker_api::Fetch fetch{op.name, op.linearizable};
  if (rng.Chance(1, 3)) {
    op.name.clear();
    fetch.torrent = DrawKey(rng, history, op.content);
    if (const auto* name = std::get_if<std::string>(&fetch.torrent)) op.name = *name;
    // Names are bound for ever: what was registered when this is asked has to be found.
    op.verifies = op.name.empty() && op.linearizable && Registered(history, op.content);
  }
  op.request = std::move(fetch);
}

void DrawAnnounce(RandomStream& rng, const RegistryAsker& asker, RegistryOperation& op) {
  const uint64_t length = TestContent(op.content).length;
  const uint64_t lefts[] = {0, 1, length, UINT64_MAX};  // the last: it does not know
  tracker_api::Announce announce{.info_hash = TestInfoHash(op.content), .peer = asker.announcer};
  announce.left = lefts[rng.Below(std::size(lefts))];
  announce.event = static_cast<tracker_api::AnnounceEvent>(rng.Below(4));
  announce.numwant = static_cast<uint32_t>(rng.Chance(1, 2) ? rng.Below(4) : 50);
  if (rng.Chance(1, 20)) {
    op.malformed = op.never_logged = true;
    announce.peer = asker.nobody;
  }
  op.request = announce;
}

void DrawScrape(RandomStream& rng, RegistryOperation& op) {
  tracker_api::Scrape scrape;
  for (uint64_t i = rng.Between(1, 8); i > 0; --i) {
    InfoHash hash = TestInfoHash(static_cast<ContentNumber>(rng.Between(1, kTestContents)));
    if (rng.Chance(1, 4)) hash.back() ^= 1;  // nobody's
    scrape.info_hashes.push_back(hash);
  }
  op.request = std::move(scrape);
}

}  // namespace

const Metainfo& TestContent(ContentNumber number) {
  static const std::vector<Metainfo> contents = [] {
    std::vector<Metainfo> made;
    for (ContentNumber i = 1; i <= kTestContents; ++i) made.push_back(MakeContent(i));
    return made;
  }();
  return contents[number - 1];
}

ContentNumber NumberOf(const ContentId& content) {
  for (ContentNumber i = 1; i <= kTestContents; ++i) {
    if (TestContent(i).content() == content) return i;
  }
  return 0;
}

const InfoHash& TestInfoHash(ContentNumber number) {
  static const std::vector<InfoHash> hashes = [] {
    std::vector<InfoHash> made;
    for (ContentNumber i = 1; i <= kTestContents; ++i) {
      Metainfo named = TestContent(i);
      named.name = kHashedName;
      made.push_back(named.AllInfoHashes().front());
    }
    return made;
  }();
  return hashes[number - 1];
}

RegistryOperation DrawRegistration(RandomStream& rng, const RegistryHistory& history, uint32_t names,
                                   const RegistryAsker& asker) {
  RegistryOperation op{.what = What::kRegister};
  op.name = absl::StrFormat("name-%d", rng.Below(names));
  op.content = static_cast<ContentNumber>(rng.Between(1, kTestContents));
  if (!asker.trees && op.content % 2 == 0) --op.content;
  tracker_api::Register request{asker.next, TestContent(op.content)};
  request.metainfo.name = op.name;
  if (rng.Chance(1, 20)) {
    op.malformed = op.never_logged = true;
    request.metainfo.name = "a/name";
  } else if (rng.Chance(1, 15) && Registered(history, op.content)) {
    op.contradicts = true;
    request.metainfo.v1_pieces.front()[0] ^= 1;
  }
  op.request = std::move(request);
  return op;
}

RegistryOperation DrawOperation(RandomStream& rng, const RegistryHistory& history, uint32_t names,
                                const RegistryAsker& asker) {
  RegistryOperation op;
  op.name = absl::StrFormat("name-%d", rng.Below(names));
  op.content = static_cast<ContentNumber>(rng.Between(1, kTestContents));
  const uint64_t draw = rng.Below(100);
  if (draw < 24) return DrawRegistration(rng, history, names, asker);
  if (draw < 46) {
    op.what = What::kFetch;
    DrawFetch(rng, history, op);
  } else if (draw < 74) {
    op.what = draw < 63 ? What::kOffer : What::kWithdraw;
    DrawClaimChange(rng, history, asker, op);
  } else if (draw < 80) {
    // As an ordinary client would: from another port, so that the claims judged above stay its own.
    op.what = What::kAnnounce;
    DrawAnnounce(rng, asker, op);
  } else if (draw < 83) {
    op.what = What::kScrape;
    DrawScrape(rng, op);
  } else if (draw < 87) {
    op.what = What::kList;
    op.request = tracker_api::List{"", static_cast<uint32_t>(rng.Between(1, 4)), true};
  } else if (draw < 88) {
    op.what = What::kStatus;
    op.request = tracker_api::Status{};
  } else {
    op.what = What::kLookup;
    const bool few = rng.Chance(1, 5);
    op.request =
        tracker_api::Lookup{DrawKey(rng, history, op.content), true,
                            few ? static_cast<uint32_t>(rng.Between(1, 3)) : tracker_api::kLookupLimit};
  }
  return op;
}

RegistryOperation ClaimLookup(ContentNumber content) {
  RegistryOperation op{.what = What::kLookup, .content = content, .verifies = true};
  op.request = tracker_api::Lookup{TestContent(content).content(), true, tracker_api::kLookupLimit};
  return op;
}

RegistryOperation BindingFetch(const std::string& name, ContentNumber content) {
  RegistryOperation op{.what = What::kFetch, .name = name, .content = content, .verifies = true};
  op.request = tracker_api::Fetch{name, true};
  return op;
}

}  // namespace bt::sim
