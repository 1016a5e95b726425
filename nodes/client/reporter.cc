#include "nodes/client/reporter.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/swarm/web_seed_limits.h"
#include "nodes/shared/json_text.h"
#include "nodes/shared/refusal.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

namespace {

constexpr Duration kTerminalPeriod = Milliseconds(200);
constexpr Duration kPlainPeriod = Seconds(2);
constexpr Duration kJsonPeriod = Milliseconds(500);
constexpr uint32_t kUnusableShown = 5;
constexpr size_t kBarWidth = 28;

std::string RateText(uint64_t bytes_per_second) {
  return absl::StrFormat("%.1f MB/s", static_cast<double>(bytes_per_second) / 1e6);
}

std::string TimeText(uint64_t seconds) {
  if (seconds < 3600) return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

// A line of --json.
void PrintLine(const Json& event) {
  std::printf("%s\n", JsonText(event).c_str());
  std::fflush(stdout);
}

// `digits` behind the point are enough for people and programs.
double Rounded(double value, double digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

Json List(const absl::btree_map<Address, std::string>& banned) {
  Json list = Json::array();
  for (const auto& [address, name] : banned) list.push_back(address.ToString());
  return list;
}

}  // namespace

Reporter::Reporter(std::string command, bool json)
    : command_(std::move(command)), json_(json), terminal_(::isatty(STDERR_FILENO) == 1 && !json) {}

Reporter::~Reporter() { ClearBar(); }

Duration Reporter::period() const { return terminal_ ? kTerminalPeriod : json_ ? kJsonPeriod : kPlainPeriod; }

void Reporter::ClearBar() {
  if (bar_shown_) std::fputs("\r\033[K", stderr);
  bar_shown_ = false;
}

void Reporter::Line(std::string_view text) {
  ClearBar();
  std::fprintf(stderr, "%s\n", Printable(text).c_str());
}

void Reporter::Result(std::string_view text) {
  ClearBar();
  std::printf("%s\n", Printable(text).c_str());
  std::fflush(stdout);
}

void Reporter::TorrentKnown(const swarm::TorrentKnown& torrent) {
  if (json_) {
    Json event = {{"event", "torrent"},
                  {"name", torrent.name},
                  {"content", torrent.content.ToString()},
                  {"length", torrent.content.length}};
    if (torrent.files > 0) {
      event["files"] = torrent.files;
      event["files_selected"] = torrent.files_selected;
      event["bytes_selected"] = torrent.bytes_selected;
    }
    return PrintLine(event);
  }
  Line(absl::StrCat(torrent.name, ": ", SizeText(torrent.content.length), ", content ",
                    torrent.content.ToString()));
  if (torrent.files == 0) return;
  Line(absl::StrCat(torrent.files_selected, " of ", torrent.files,
                    " files selected: ", SizeText(torrent.bytes_selected)));
}

void Reporter::Checked(const swarm::FileReady& ready, std::string_view file) {
  if (json_) {
    return PrintLine({{"event", "checked"},
                      {"file", std::string(file)},
                      {"verified", ready.verified},
                      {"pieces", ready.pieces}});
  }
  if (command_ == "offer" || ready.verified > 0) {
    Line(absl::StrCat(Absl(file), ": ", ready.verified, " of ", ready.pieces, " pieces are there"));
  }
}

void Reporter::Listening(const Address& address) {
  if (json_) return PrintLine({{"event", "listening"}, {"address", address.ToString()}});
  Line(absl::StrCat("listening for peers at ", address.ToString()));
}

void Reporter::Unusable(const swarm::PieceUnusable& piece) {
  if (json_) {
    return PrintLine({{"event", "unusable"}, {"piece", piece.piece.value()}, {"why", piece.why}});
  }
  ++unusable_;
  if (unusable_ <= kUnusableShown)
    Line(absl::StrCat("piece ", piece.piece.value(), " is not offered: ", piece.why));
  if (unusable_ == kUnusableShown) Line("more such pieces are not listed");
}

void Reporter::Changed(const swarm::OfferChanged& changed, const std::string& name) {
  unusable_ = 0;
  if (json_) {
    return PrintLine({{"event", "changed"}, {"pieces", changed.pieces}, {"why", changed.why}});
  }
  Line(changed.why.empty()
           ? absl::StrCat(name, " was changed: ", changed.pieces, " pieces are withdrawn and looked at again")
           : absl::StrCat(name, " cannot be offered any more: ", changed.why,
                          "; it is offered again when it is back"));
}

std::vector<std::string> Reporter::NamesOf(const std::vector<Address>& senders) const {
  std::vector<std::string> names;
  for (const Address& sender : senders) names.push_back(sender.ToString());
  for (uint32_t seed = 0; seed < web_seeds_.size(); ++seed) {
    std::replace(names.begin(), names.end(), swarm::WebSeedAddress(seed).ToString(), web_seeds_[seed]);
  }
  return names;
}

void Reporter::Rejected(const swarm::PieceRejected& rejected) {
  ++rejected_;
  if (json_) {
    return PrintLine(
        {{"event", "rejected"}, {"piece", rejected.piece.value()}, {"peers", NamesOf(rejected.peers)}});
  }
  std::string peers;
  for (const std::string& peer : NamesOf(rejected.peers)) {
    absl::StrAppend(&peers, peers.empty() ? "" : ", ", peer);
  }
  Line(absl::StrCat("piece ", rejected.piece.value(), " was wrong and is fetched again (from ", peers, ")"));
}

void Reporter::Banned(const swarm::PeerBanned& banned) {
  std::string& name = banned_[banned.peer];
  name = banned.peer.ToString();
  const std::string listens = banned.listens.port == 0 ? "" : banned.listens.ToString();
  if (!listens.empty()) absl::StrAppend(&name, " (says it listens at ", listens, ")");
  if (json_) {
    return PrintLine({{"event", "banned"},
                      {"peer", banned.peer.ToString()},
                      {"listens", listens},
                      {"reason", banned.reason}});
  }
  Line(absl::StrCat("peer ", name, " ", banned.reason, "; banned"));
}

void Reporter::Trouble(std::string_view tracker, std::string_view why) {
  std::string& last = troubles_[std::string(tracker)];
  if (last == why) return;
  last = std::string(why);
  if (json_) {
    return PrintLine({{"event", "trouble"}, {"tracker", std::string(tracker)}, {"why", std::string(why)}});
  }
  Line(absl::StrCat("tracker ", Absl(tracker), ": ", Absl(why), "; trying again"));
}

void Reporter::Trouble(const swarm::WebSeedTrouble& trouble) {
  using Verdict = swarm::WebSeedTrouble::Verdict;
  const std::string& url = web_seeds_.at(trouble.seed);
  const bool given_up = trouble.verdict != Verdict::kAskedAgain;
  if (json_) {
    return PrintLine({{"event", "web_seed"},
                      {"url", url},
                      {"why", trouble.why},
                      {"given_up", given_up},
                      {"lied", trouble.verdict == Verdict::kLied}});
  }
  std::string& last = troubles_[url];
  if (std::exchange(last, trouble.why) == trouble.why && !given_up) return;
  Line(absl::StrCat("web seed ", url, ": ", trouble.why,
                    given_up ? "; it is not asked any more" : "; trying again"));
}

void Reporter::Offering(uint32_t pieces, std::string_view name, const Address& at) {
  if (json_) {
    return PrintLine(
        {{"event", "offering"}, {"pieces", pieces}, {"name", std::string(name)}, {"at", at.ToString()}});
  }
  Result(absl::StrCat("offering ", pieces, " pieces of ", Absl(name), " at ", at.ToString()));
}

void Reporter::Withdrawn(std::string_view name) {
  if (json_) return PrintLine({{"event", "withdrawn"}, {"name", std::string(name)}});
  Line(absl::StrCat("withdrew the offer of ", Absl(name)));
}

void Reporter::Begin(const swarm::Progress& progress, Instant now) {
  last_at_ = now;
  last_bytes_ = progress.bytes_verified;
  last_sent_ = progress.bytes_sent;
}

void Reporter::Progress(const swarm::Progress& progress, Instant now) {
  if (last_at_ != Instant{} && now > last_at_) {
    const auto elapsed_ms = static_cast<uint64_t>(std::max<int64_t>(1, (now - last_at_).millis()));
    const uint64_t bytes = progress.bytes_verified + progress.bytes_sent;
    const uint64_t before = last_bytes_ + last_sent_;
    const uint64_t current = (bytes - std::min(bytes, before)) * 1000 / elapsed_ms;
    rate_ = rate_ == 0 ? current : (rate_ * 3 + current) / 4;
  }
  const bool sent = progress.bytes_sent != last_sent_;
  const bool changed = sent || progress.bytes_verified != last_bytes_;
  last_at_ = now;
  last_bytes_ = progress.bytes_verified;
  last_sent_ = progress.bytes_sent;
  if (json_) {
    if (!changed) return;
    return PrintLine({{"event", "progress"},
                      {"verified", progress.bytes_verified},
                      {"length", progress.length},
                      {"sent", progress.bytes_sent},
                      {"bytes_per_second", rate_},
                      {"peers", progress.peers_connected},
                      {"banned", progress.peers_banned}});
  }
  if ((!changed && !terminal_) || progress.length == 0) return;
  const char* peers = progress.peers_connected == 1 ? " peer" : " peers";
  const uint64_t percent = progress.bytes_verified * 100 / progress.length;
  std::string text;
  const bool serves = command_ == "offer" || percent == 100;
  if (serves && !sent && !terminal_) return;  // that it is complete is said elsewhere
  if (serves) {
    text = absl::StrCat("sent ", SizeText(progress.bytes_sent), ", ", RateText(rate_), ", ",
                        progress.peers_connected, peers);
  } else {
    const uint64_t left = progress.length - progress.bytes_verified;
    text = absl::StrCat(percent, " %, ", RateText(rate_), ", ", rate_ == 0 ? "-:--" : TimeText(left / rate_),
                        " left, ", progress.peers_connected, peers);
  }
  if (!terminal_) return Line(text);
  const size_t filled = std::min<size_t>(kBarWidth, percent * kBarWidth / 100);
  std::fprintf(stderr, "\r\033[K[%s%s] %s", std::string(filled, '#').c_str(),
               std::string(kBarWidth - filled, '.').c_str(), text.c_str());
  bar_shown_ = true;
}

void Reporter::Complete(std::string_view name, std::string_view path, uint64_t length, uint64_t bytes,
                        Duration took, size_t sources, uint64_t from_web) {
  const double seconds = static_cast<double>(std::max<int64_t>(1, took.micros())) / 1e6;
  const double megabytes_per_second = static_cast<double>(bytes) / 1e6 / seconds;
  if (json_) {
    return PrintLine({{"event", "complete"},
                      {"name", std::string(name)},
                      {"path", std::string(path)},
                      {"length", length},
                      {"fetched", bytes},
                      {"seconds", Rounded(seconds, 3)},
                      {"megabytes_per_second", Rounded(megabytes_per_second, 1)},
                      {"sources", sources},
                      {"from_web", from_web},
                      {"pieces_rejected", rejected_},
                      {"banned", List(banned_)}});
  }
  Result(absl::StrCat("downloaded ", Absl(name), " to ", Absl(path), ": ", SizeText(length),
                      absl::StrFormat(" in %.3f s, %.1f MB/s, from ", seconds, megabytes_per_second), sources,
                      sources == 1 ? " peer" : " peers",
                      from_web == 0 ? "" : absl::StrCat(" and web seeds (", SizeText(from_web), ")")));
  if (banned_.empty()) return;
  std::string banned;
  for (const auto& [peer, name] : banned_) absl::StrAppend(&banned, banned.empty() ? "" : ", ", name);
  Result(absl::StrCat(banned_.size(), banned_.size() == 1 ? " peer" : " peers",
                      " sent wrong bytes, banned: ", banned, "; ", rejected_, " pieces rejected"));
}

void Reporter::AlreadyThere(std::string_view name, std::string_view path, uint64_t length) {
  if (json_) {
    return PrintLine({{"event", "complete"},
                      {"name", std::string(name)},
                      {"path", std::string(path)},
                      {"length", length},
                      {"fetched", 0}});
  }
  Result(absl::StrCat(Absl(path), " is there already and right: ", Absl(name), ", ", SizeText(length)));
}

void Reporter::Warning(std::string_view text) {
  if (json_) return PrintLine({{"event", "warning"}, {"text", std::string(text)}});
  Line(absl::StrCat("bytetorrent ", command_, ": ", Absl(text)));
}

void Reporter::Failed(std::string_view reason, absl::StatusCode code) {
  if (json_) return KeepRefusal(code, reason);
  Line(absl::StrCat("bytetorrent ", command_, ": ", Absl(reason)));
}

}  // namespace bt::nodes
