#pragma once

// Reporter: what a transfer tells its user. Results on stdout; progress and diagnostics on stderr: a bar
// that redraws itself on a terminal, a plain line now and then elsewhere; with --json lines of JSON on
// stdout instead of all that. Loop thread only.

#include <absl/container/btree_map.h>
#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/swarm/protocol.h"

namespace bt::nodes {

class Reporter {
 public:
  Reporter(std::string command, bool json);
  ~Reporter();  // leaves the terminal on a fresh line

  // How often Progress wants to be called.
  Duration period() const;

  void TorrentKnown(const swarm::TorrentKnown& torrent);
  void Checked(const swarm::FileReady& ready, std::string_view file);
  void Listening(const Address& address);
  void Unusable(const swarm::PieceUnusable& piece);
  void Changed(const swarm::OfferChanged& changed, const std::string& name);
  void Rejected(const swarm::PieceRejected& rejected);
  void Banned(const swarm::PeerBanned& banned);
  void Trouble(std::string_view tracker, std::string_view why);
  // What the web servers of the torrent are called, in order, before anything is told of one.
  void WebSeeds(std::vector<std::string> names) { web_seeds_ = std::move(names); }
  void Trouble(const swarm::WebSeedTrouble& trouble);
  void Offering(uint32_t pieces, std::string_view name, const Address& at);
  // The trackers know: nobody is sent here any more.
  void Withdrawn(std::string_view name);
  // The file is ready: what it holds now does not count into the rate.
  void Begin(const swarm::Progress& progress, Instant now);
  void Progress(const swarm::Progress& progress, Instant now);
  // `bytes` were fetched by this run, of `length`; `sources` peers were met, and `from_web` came from web
  // servers.
  void Complete(std::string_view name, std::string_view path, uint64_t length, uint64_t bytes, Duration took,
                size_t sources, uint64_t from_web);
  // The file is what the torrent says, and was so before: nothing was fetched.
  void AlreadyThere(std::string_view name, std::string_view path, uint64_t length);
  void Warning(std::string_view text);
  // "bytetorrent COMMAND: reason", one line; with --json it is told at the end (nodes/shared/refusal.h).
  void Failed(std::string_view reason, absl::StatusCode code = absl::StatusCode::kUnknown);

  size_t banned() const { return banned_.size(); }

 private:
  void Line(std::string_view text);    // to stderr
  void Result(std::string_view text);  // to stdout
  void ClearBar();
  // Of peers their addresses.
  std::vector<std::string> NamesOf(const std::vector<Address>& senders) const;

  const std::string command_;
  const bool json_;
  const bool terminal_;
  bool bar_shown_ = false;
  uint32_t unusable_ = 0;
  uint32_t rejected_ = 0;
  absl::btree_map<Address, std::string> banned_;        // each as people read it
  absl::btree_map<std::string, std::string> troubles_;  // tracker or web server -> what was said last
  std::vector<std::string> web_seeds_;
  Instant last_at_;
  uint64_t last_bytes_ = 0;
  uint64_t last_sent_ = 0;
  uint64_t rate_ = 0;  // bytes per second, smoothed
};

}  // namespace bt::nodes
