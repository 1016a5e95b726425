// Alarms: which tables are full, and who fills them. For the operator alone: nothing that is applied depends
// on it.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/tracker/holders.h"
#include "core/tracker/registry.h"

namespace bt::tracker {

using tracker_api::Alarm;

namespace {

constexpr size_t kNamed = 3;  // of those who fill a table
constexpr size_t kAlarmsMax = 16;

// A share of bytes of which less than this part is left counts as whole: what comes next takes from a few
// bytes to some MiB, so that no share is ever taken to its last byte.
constexpr uint64_t kLeftOfShare = 64;

bool IsWhole(uint64_t held, uint64_t share) { return held + share / kLeftOfShare >= share; }

uint64_t BytesOf(const Share& share) { return share.claim_bytes + share.registered_bytes; }

}  // namespace

void Registry::AddFullTables(std::vector<Alarm>& alarms) const {
  const auto holders = [&](uint32_t Share::*what) {
    return MostAreOf(shares_.Largest(what, kNamed), [&](Source source) { return shares_.Of(source).*what; });
  };
  if (claims() >= limits().claims) {
    alarms.push_back({"claims", absl::StrCat("all ", limits().claims,
                                             " claims are taken: offers are answered 503 and announces are "
                                             "not listed",
                                             holders(&Share::claims))});
  }
  if (torrents() >= limits().torrents) {
    alarms.push_back(
        {"torrents", absl::StrCat("all ", limits().torrents,
                                  " places for torrents are taken: registrations are answered 413",
                                  holders(&Share::names))});
  }
  if (bytes_ + kClaimBytes > limits().bytes) {
    alarms.push_back(
        {"bytes", absl::StrCat("the registry holds ", bytes_, " bytes of ", limits().bytes,
                               ": offers are answered 503 and registrations 413", HoldersOfBytes())});
  }
}

// Those with most bytes of metainfo and claims together.
std::string Registry::HoldersOfBytes() const {
  std::vector<Source> sources = shares_.Largest(&Share::claim_bytes, kNamed);
  for (const Source source : shares_.Largest(&Share::registered_bytes, kNamed))
    if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
  const auto held = [&](Source source) { return BytesOf(shares_.Of(source)); };
  return MostAreOf(LargestOf(std::move(sources), kNamed, 1, held), held);
}

void Registry::AddWholeShares(std::vector<Alarm>& alarms) const {
  for (const Source source : shares_.Largest(&Share::claims, kNamed)) {
    if (shares_.Of(source).claims < limits().source_claims) continue;
    alarms.push_back({absl::StrCat("source_claims of ", SourceText(source)),
                      absl::StrCat(SourceText(source), " holds ", shares_.Of(source).claims,
                                   " claims, its whole share: its oldest make room for its new ones")});
  }
  for (const Source source : shares_.Largest(&Share::names, kNamed)) {
    if (shares_.Of(source).names < limits().source_names) continue;
    alarms.push_back({absl::StrCat("source_names of ", SourceText(source)),
                      absl::StrCat(SourceText(source), " has registered ", shares_.Of(source).names,
                                   " names, its whole share: its registrations are answered 413")});
  }
  AddWholeSharesOfBytes(alarms);
}

void Registry::AddWholeSharesOfBytes(std::vector<Alarm>& alarms) const {
  for (const Source source : shares_.Largest(&Share::claim_bytes, kNamed)) {
    const uint64_t held = shares_.Of(source).claim_bytes;
    if (!IsWhole(held, limits().source_claim_bytes)) continue;
    alarms.push_back(
        {absl::StrCat("source_claim_bytes of ", SourceText(source)),
         absl::StrCat(SourceText(source), " holds ", held, " bytes of claims, its whole share of ",
                      limits().source_claim_bytes, ": its oldest make room for its new ones")});
  }
  for (const Source source : shares_.Largest(&Share::registered_bytes, kNamed)) {
    const uint64_t held = shares_.Of(source).registered_bytes;
    if (!IsWhole(held, limits().source_registered_bytes)) continue;
    alarms.push_back(
        {absl::StrCat("source_registered_bytes of ", SourceText(source)),
         absl::StrCat(SourceText(source), " has registered ", held,
                      " bytes of piece hashes, its whole share of ", limits().source_registered_bytes,
                      ": its registrations that do not fit are answered 413")});
  }
}

std::vector<Alarm> Registry::Alarms() const {
  std::vector<Alarm> alarms;
  AddFullTables(alarms);
  AddWholeShares(alarms);
  const std::vector<Source> largest = shares_.Largest(&Share::claims, kNamed);
  for (const TorrentNumber number : shares_.crowded()) {
    if (alarms.size() >= kAlarmsMax) break;
    const Torrent& full = torrent(number);
    const auto held = [&](Source source) { return shares_.ClaimsOf(source, number); };
    if (full.claims.size() >= limits().claims_per_content) {
      alarms.push_back({absl::StrCat("claims_per_content of ", full.content().ToString()),
                        absl::StrCat("all ", limits().claims_per_content, " claims of content ",
                                     full.content().ToString(), " are taken", MostAreOf(largest, held))});
    }
    for (const Source source : largest) {
      if (held(source) < limits().source_claims_per_content) continue;
      alarms.push_back({absl::StrCat("source_claims_per_content of ", SourceText(source), " in ",
                                     full.content().ToString()),
                        absl::StrCat(SourceText(source), " holds ", held(source), " claims of content ",
                                     full.content().ToString(),
                                     ", its whole share: its oldest make room for its new ones")});
    }
  }
  return alarms;
}

}  // namespace bt::tracker
