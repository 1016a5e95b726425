#pragma once

// Limits and lifetimes that decide what a command does when it is applied. Replicas that differed in one of
// them would answer the same command differently, so they are no constants of a binary: they are part of the
// replicated state, and the command SetLimits alone changes them, from its own place in the log on.
// What a node limits for its own sake (memory, queues, connections) is in config.h and may differ by node.

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "core/torrent/metainfo.h"

namespace bt::tracker {

// The values below are version 0: those of a state to which no SetLimits was applied. They are frozen,
// because a log is applied again from its first slot at every start, by whatever release runs then. A release
// that wants other values proposes a SetLimits.
struct Limits {
  MetainfoLimits metainfo{
      .pieces = 131'072, .piece_length = 64 << 20, .name_bytes = 255, .foreign_info_hashes = 2};
  uint32_t torrents = 262'144;
  uint32_t names_per_content = 64;
  uint32_t info_hashes_per_content = 320;  // four derived ones per name, and foreign ones
  uint32_t claims_per_content = 65'536;
  uint32_t claims = 2'097'152;
  uint32_t claims_per_command = 2048;          // updates in one Claims command
  uint64_t bytes = uint64_t{2} << 30;          // of metainfo and claims, as the registry accounts for them
  Duration claim_lifetime = Seconds(30 * 60);  // log time, from the last renewal
  Duration renew_interval = Seconds(10 * 60);  // what announcing peers are told
  uint32_t sessions = 524'288;
  Duration session_lifetime = Seconds(60 * 60);  // log time, from the last mutation
  Duration session_eviction_age = Seconds(60);   // a full table forgets none younger
  uint32_t expiries_per_command = 16;            // claims, and sessions, that are due and dropped with it
  uint32_t expiries_per_tick = 1024;             // claims that are due and dropped with a Tick
  // What one source (source.h) may hold of the tables above. Its claims beyond give way, the oldest first;
  // names are for ever, so those beyond are refused.
  uint32_t source_claims = 131'072;
  uint32_t source_claims_per_content = 4096;
  uint64_t source_claim_bytes = uint64_t{128} << 20;
  uint32_t source_names = 65'536;
  uint64_t source_registered_bytes = uint64_t{512} << 20;  // of metainfo

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("metainfo", self.metainfo);
    visit("torrents", self.torrents);
    visit("names_per_content", self.names_per_content);
    visit("info_hashes_per_content", self.info_hashes_per_content);
    visit("claims_per_content", self.claims_per_content);
    visit("claims", self.claims);
    visit("claims_per_command", self.claims_per_command);
    visit("bytes", self.bytes);
    visit("claim_lifetime", self.claim_lifetime);
    visit("renew_interval", self.renew_interval);
    visit("sessions", self.sessions);
    visit("session_lifetime", self.session_lifetime);
    visit("session_eviction_age", self.session_eviction_age);
    visit("expiries_per_command", self.expiries_per_command);
    visit("expiries_per_tick", self.expiries_per_tick);
    visit("source_claims", self.source_claims);
    visit("source_claims_per_content", self.source_claims_per_content);
    visit("source_claim_bytes", self.source_claim_bytes);
    visit("source_names", self.source_names);
    visit("source_registered_bytes", self.source_registered_bytes);
  }
  friend bool operator==(const Limits&, const Limits&) = default;
};

// Why a cluster could not work under these limits; nullopt when it could.
std::optional<std::string> LimitsProblem(const Limits& limits);

}  // namespace bt::tracker
