// Alarms: which tables are full, and who fills them. For the operator alone: nothing that is applied depends
// on it.

#include <absl/strings/str_cat.h>

#include "core/tracker/registry.h"

namespace bt::tracker {

using tracker_api::Alarm;

namespace {

constexpr size_t kNamed = 3;  // of those who fill a table
constexpr size_t kAlarmsMax = 16;

// "; most are of 192.0.2.7 (131072), ...": by what each of the sources holds.
template <class Held>
std::string MostAreOf(const std::vector<Source>& sources, Held held) {
  std::string text;
  for (const Source source : sources) {
    if (held(source) == 0) continue;
    absl::StrAppend(&text, text.empty() ? "; most are of " : ", ", SourceText(source), " (", held(source),
                    ")");
  }
  return text;
}

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
                               ": offers are answered 503 and registrations 413", holders(&Share::claims))});
  }
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
