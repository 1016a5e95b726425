#pragma once

// WebSeeds: web servers that have the content's files (BEP 19), as a last resort: when for a while no peer
// has sent a block that was wanted, whole pieces that nobody is asked for are fetched from them by ranges,
// one at a time from each server. What comes is proven as any peer's piece is. A server that answers wrongly
// is left alone for longer each time and given up after kWebStrikes; one whose bytes a hash proves wrong, at
// once. Invariant: at most kWebRangesAtOnce ranges of at most kWebRangeBytes are in flight. For the client's
// engine.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/swarm/downloads.h"
#include "core/swarm/protocol.h"
#include "core/swarm/torrent.h"
#include "core/swarm/web_seed_limits.h"

namespace bt::swarm {

class WebSeeds {
 public:
  using Ctx = Context<Protocol>;
  static constexpr uint32_t kRangeBytesMin = 256 << 10;  // asked of a server that was late with more
  static constexpr Duration kBackoffMin = Seconds(4);    // after the first strike; then twice that

  // All must outlive this. `config` says how many there are.
  WebSeeds(const Torrent& torrent, Downloads& downloads, const Config& config);

  // At the end of each step of a download: begins what is due, and arms Timer::kWebSeeds.
  void Poll(Ctx& context);
  // An answer: its bytes are stored now.
  void Answered(const RangeFetched& answer, Ctx& context);
  // Nothing more is asked, and no answer counts.
  void End(Ctx& context);

  // Whether there is one that has not been given up.
  bool hope() const;
  uint64_t bytes_received() const { return bytes_received_; }

  // A server's bytes were proven wrong.
  void Convict(const Sender& sender, PieceIndex piece, Ctx& context);

  void CheckInvariants() const;
  uint64_t Digest() const;

 private:
  struct Seed {
    uint64_t ask = 0;  // of the range that is in flight; 0: none
    Instant since{};   // ... and was asked for then
    uint32_t length = 0;
    Downloads::Run run;
    uint64_t begun = 0;  // bytes of the run that have come
    uint32_t range_bytes = kWebRangeBytes;
    uint32_t strikes = 0;
    Instant retry_at{};
    bool given_up = false;

    // It has taken a run, and its next range is to be asked for.
    bool waits() const { return run.count > 0 && ask == 0; }
    bool rests() const { return run.count == 0 && !given_up; }
  };

  void AskThoseThatRest(Ctx& context);
  void Ask(uint32_t seed, Ctx& context);
  void LetGo(uint32_t seed);
  void Strike(uint32_t seed, std::string why, Ctx& context);
  void GiveUp(uint32_t seed, std::string why, WebSeedTrouble::Verdict verdict, Ctx& context);
  void Arm(Instant due, Ctx& context) const;
  uint32_t busy() const;

  const Torrent& torrent_;
  Downloads& downloads_;
  const Duration patience_;
  std::vector<Seed> seeds_;  // at most kWebSeedsLimit
  uint64_t last_ask_ = 0;
  Instant began_ = Instant::Never();
  uint64_t bytes_received_ = 0;
};

}  // namespace bt::swarm
