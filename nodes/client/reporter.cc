#include "nodes/client/reporter.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "nodes/http_api/json_api.h"
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

std::string Quoted(std::string_view text) { return JsonQuote(text); }

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

void Reporter::Json(std::string_view fields) {
  std::printf("{%.*s}\n", static_cast<int>(fields.size()), fields.data());
  std::fflush(stdout);
}

void Reporter::TorrentKnown(const swarm::TorrentKnown& torrent) {
  if (json_) {
    return Json(absl::StrCat("\"event\":\"torrent\",\"name\":", Quoted(torrent.name), ",\"content\":\"",
                             torrent.content.ToString(), "\",\"length\":", torrent.content.length));
  }
  Line(absl::StrCat(torrent.name, ": ", SizeText(torrent.content.length), ", content ",
                    torrent.content.ToString()));
}

void Reporter::Checked(const swarm::FileReady& ready, std::string_view file) {
  if (json_) {
    return Json(absl::StrCat("\"event\":\"checked\",\"file\":", Quoted(file),
                             ",\"verified\":", ready.verified, ",\"pieces\":", ready.pieces));
  }
  if (command_ == "offer" || ready.verified > 0) {
    Line(absl::StrCat(Absl(file), ": ", ready.verified, " of ", ready.pieces, " pieces are there"));
  }
}

void Reporter::Listening(const Address& address) {
  if (json_) return Json(absl::StrCat("\"event\":\"listening\",\"address\":\"", address.ToString(), "\""));
  Line(absl::StrCat("listening for peers at ", address.ToString()));
}

void Reporter::Unusable(const swarm::PieceUnusable& piece) {
  if (json_) {
    return Json(absl::StrCat("\"event\":\"unusable\",\"piece\":", piece.piece.value(),
                             ",\"why\":", Quoted(piece.why)));
  }
  ++unusable_;
  if (unusable_ <= kUnusableShown)
    Line(absl::StrCat("piece ", piece.piece.value(), " is not offered: ", piece.why));
  if (unusable_ == kUnusableShown) Line("more such pieces are not listed");
}

void Reporter::Rejected(const swarm::PieceRejected& rejected) {
  ++rejected_;
  std::string peers;
  for (const Address& peer : rejected.peers) {
    absl::StrAppend(&peers, peers.empty() ? "" : json_ ? "\",\"" : ", ", peer.ToString());
  }
  if (json_) {
    return Json(absl::StrCat("\"event\":\"rejected\",\"piece\":", rejected.piece.value(), ",\"peers\":[\"",
                             peers, "\"]"));
  }
  Line(absl::StrCat("piece ", rejected.piece.value(), " was wrong and is fetched again (from ", peers, ")"));
}

void Reporter::Banned(const swarm::PeerBanned& banned) {
  banned_.insert(banned.peer);
  if (json_) {
    return Json(absl::StrCat("\"event\":\"banned\",\"peer\":\"", banned.peer.ToString(),
                             "\",\"reason\":", Quoted(banned.reason)));
  }
  Line(absl::StrCat("peer ", banned.peer.ToString(), " ", banned.reason, "; banned"));
}

void Reporter::Trouble(std::string_view tracker, std::string_view why) {
  std::string& last = troubles_[std::string(tracker)];
  if (last == why) return;
  last = std::string(why);
  if (json_) {
    return Json(
        absl::StrCat("\"event\":\"trouble\",\"tracker\":", Quoted(tracker), ",\"why\":", Quoted(why)));
  }
  Line(absl::StrCat("tracker ", Absl(tracker), ": ", Absl(why), "; trying again"));
}

void Reporter::Offering(uint32_t pieces, std::string_view name, const Address& at) {
  if (json_) {
    return Json(absl::StrCat("\"event\":\"offering\",\"pieces\":", pieces, ",\"name\":", Quoted(name),
                             ",\"at\":\"", at.ToString(), "\""));
  }
  Result(absl::StrCat("offering ", pieces, " pieces of ", Absl(name), " at ", at.ToString()));
}

void Reporter::Withdrawn(std::string_view name) {
  if (json_) return Json(absl::StrCat("\"event\":\"withdrawn\",\"name\":", Quoted(name)));
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
  const bool changed = progress.bytes_verified != last_bytes_ || progress.bytes_sent != last_sent_;
  last_at_ = now;
  last_bytes_ = progress.bytes_verified;
  last_sent_ = progress.bytes_sent;
  if (json_) {
    if (!changed) return;
    return Json(absl::StrCat("\"event\":\"progress\",\"verified\":", progress.bytes_verified,
                             ",\"length\":", progress.length, ",\"sent\":", progress.bytes_sent,
                             ",\"bytes_per_second\":", rate_, ",\"peers\":", progress.peers_connected,
                             ",\"banned\":", progress.peers_banned));
  }
  if ((!changed && !terminal_) || progress.length == 0) return;
  const char* peers = progress.peers_connected == 1 ? " peer" : " peers";
  const uint64_t percent = progress.bytes_verified * 100 / progress.length;
  std::string text;
  if (command_ == "offer" || percent == 100) {
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

std::string Reporter::BannedList(bool json) const {
  std::string list;
  for (const Address& peer : banned_) {
    absl::StrAppend(&list,
                    list.empty() ? ""
                    : json       ? ","
                                 : ", ",
                    json ? "\"" : "", peer.ToString(), json ? "\"" : "");
  }
  return list;
}

void Reporter::Complete(std::string_view name, std::string_view path, uint64_t length, uint64_t bytes,
                        Duration took, size_t sources) {
  const double seconds = static_cast<double>(std::max<int64_t>(1, took.micros())) / 1e6;
  const std::string rate = absl::StrFormat("%.1f", static_cast<double>(bytes) / 1e6 / seconds);
  const std::string time = absl::StrFormat("%.3f", seconds);
  if (json_) {
    return Json(absl::StrCat("\"event\":\"complete\",\"name\":", Quoted(name), ",\"path\":", Quoted(path),
                             ",\"length\":", length, ",\"fetched\":", bytes, ",\"seconds\":", time,
                             ",\"megabytes_per_second\":", rate, ",\"sources\":", sources,
                             ",\"pieces_rejected\":", rejected_, ",\"banned\":[", BannedList(true), "]"));
  }
  Result(absl::StrCat("downloaded ", Absl(name), " to ", Absl(path), ": ", SizeText(length), " in ", time,
                      " s, ", rate, " MB/s, from ", sources, sources == 1 ? " peer" : " peers"));
  if (!banned_.empty()) {
    Result(absl::StrCat(banned_.size(), banned_.size() == 1 ? " peer" : " peers",
                        " sent wrong bytes, banned: ", BannedList(false), "; ", rejected_,
                        " pieces rejected"));
  }
}

void Reporter::AlreadyThere(std::string_view name, std::string_view path, uint64_t length) {
  if (json_) {
    return Json(absl::StrCat("\"event\":\"complete\",\"name\":", Quoted(name), ",\"path\":", Quoted(path),
                             ",\"length\":", length, ",\"fetched\":0"));
  }
  Result(absl::StrCat(Absl(path), " is there already and right: ", Absl(name), ", ", SizeText(length)));
}

void Reporter::Warning(std::string_view text) {
  Line(absl::StrCat("bytetorrent ", command_, ": ", Absl(text)));
}

void Reporter::Failed(std::string_view reason) {
  if (json_) Json(absl::StrCat("\"event\":\"failed\",\"reason\":", Quoted(reason)));
  Line(absl::StrCat("bytetorrent ", command_, ": ", Absl(reason)));
}

}  // namespace bt::nodes
