// The replicated state as bytes: history may be cut, because the state alone says how every later command is
// answered. Encoded, decoded and rebuilt, it has the same digest and gives the same answers for ever after.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/tracker/replicated_state.h"
#include "tests/core/tracker/fixtures.h"

namespace bt::tracker {
namespace {

using tracker_api::MutationId;

const std::vector<Metainfo>& Songs() {
  static const std::vector<Metainfo> songs = [] {
    std::vector<Metainfo> made;
    for (uint8_t i = 0; i < 4; ++i) made.push_back(MakeTorrent("song", i, i + 1u));
    return made;
  }();
  return songs;
}

// A log of commands on few names, contents, peers and sessions, so that they meet; time moves on in jumps
// long enough for claims and sessions to expire.
class Log {
 public:
  explicit Log(uint64_t seed) : rng_(seed) {}

  Instant Stamp() {
    if (rng_.Chance(1, 8)) stamp_ = stamp_ + Seconds(static_cast<int64_t>(rng_.Below(1000)));
    return stamp_;
  }
  Slice Command() {
    const MutationId id{SessionId(rng_.Below(6)), rng_.Between(1, 4)};
    const uint64_t draw = rng_.Below(20);
    if (draw < 4) return EncodeCommand(id, Registration());
    if (draw < 10) return EncodeCommand(id, OfferOf(AnyKey(), AnyPeer(), AnyRanges()));
    if (draw < 13) return EncodeCommand(id, tracker_api::Withdraw{{}, AnyKey(), AnyPeer(), AnyRanges()});
    if (draw < 16) return EncodeCommand(id, AnyClaims());
    if (draw < 18) return EncodeCommand(id, Tick{});
    if (draw < 19) return EncodeCommand(id, SetLimits{{}, rng_.Below(4), AnyLimits()});
    return Slice::Static("no command");
  }

 private:
  tracker_api::Register Registration() {
    Metainfo metainfo = Songs()[rng_.Below(Songs().size())];
    metainfo.name = std::string(1, static_cast<char>('a' + rng_.Below(4)));
    if (rng_.Chance(1, 3)) metainfo.v1_pieces.clear();
    if (rng_.Chance(1, 3)) metainfo.foreign_info_hashes = {InfoHash{static_cast<uint8_t>(rng_.Below(5))}};
    return RegisterOf(metainfo);
  }
  tracker_api::TorrentKey AnyKey() { return Songs()[rng_.Below(Songs().size())].content(); }
  Address AnyPeer() { return Peer(static_cast<uint8_t>(rng_.Between(1, 12))); }
  std::vector<PieceRange> AnyRanges() {
    if (rng_.Chance(1, 4)) return {};
    return {Range(static_cast<uint32_t>(rng_.Below(3)), static_cast<uint32_t>(rng_.Between(1, 2)))};
  }
  Claims AnyClaims() {
    Claims claims;
    for (uint64_t i = rng_.Below(4); i > 0; --i) {
      claims.updates.push_back({TorrentNumber(static_cast<uint32_t>(rng_.Below(5))), AnyPeer(),
                                static_cast<ClaimUpdate::Kind>(rng_.Below(3))});
    }
    return claims;
  }
  Limits AnyLimits() {
    Limits limits;
    limits.torrents = static_cast<uint32_t>(rng_.Between(1, 4));
    limits.names_per_content = static_cast<uint32_t>(rng_.Between(1, 3));
    limits.claims = static_cast<uint32_t>(rng_.Between(3, 30));
    limits.sessions = static_cast<uint32_t>(rng_.Between(2, 6));
    limits.expiries_per_command = static_cast<uint32_t>(rng_.Between(1, 3));
    limits.expiries_per_tick = static_cast<uint32_t>(rng_.Between(1, 6));
    limits.bytes = rng_.Between(1000, 20'000);
    return limits;
  }

  Rng rng_;
  Instant stamp_{};
};

TEST(ReplicatedStateProperty, DecodedItHasTheSameDigestAndAnswersEveryLaterCommandAlike) {
  EXPECT_TRUE(rc::check("equal digests and answers", [] {
    Log log(*rc::gen::arbitrary<uint64_t>());
    const size_t before = *rc::gen::inRange<size_t>(0, 300);
    ReplicatedState original;
    for (size_t i = 0; i < before; ++i) original.Apply(log.Stamp(), log.Command());
    const std::string bytes = original.Encode();
    absl::StatusOr<ReplicatedState> copy = ReplicatedState::Decode(Slice::Copy(bytes));
    RC_ASSERT(copy.ok());
    RC_ASSERT(copy->Encode() == bytes);
    for (int i = 0; i < 200; ++i) {
      RC_ASSERT(copy->Digest() == original.Digest());
      RC_ASSERT(copy->registry().accounted_bytes() == original.registry().accounted_bytes());
      RC_ASSERT(copy->registry().next_expiry() == original.registry().next_expiry());
      const Instant stamp = log.Stamp();
      const Slice command = log.Command();
      RC_ASSERT(copy->Apply(stamp, command).response == original.Apply(stamp, command).response);
    }
    for (const Metainfo& song : Songs()) {
      const tracker_api::Lookup query = LookupOf(song.content());
      RC_ASSERT(copy->registry().Lookup(query, 5) == original.registry().Lookup(query, 5));
    }
    original.CheckInvariants();
    copy->CheckInvariants();
  }));
}

TEST(ReplicatedStateProperty, AWalkGivesTheStateOfItsBeginningWhateverIsAppliedMeanwhile) {
  EXPECT_TRUE(rc::check("walks", [] {
    const uint64_t seed = *rc::gen::arbitrary<uint64_t>();
    Log log(seed);
    Rng rng(seed);
    ReplicatedState state;
    for (uint64_t i = rng.Below(200); i > 0; --i) state.Apply(log.Stamp(), log.Command());
    for (int walk = 0; walk < 2; ++walk) {
      const std::string before = state.Encode();
      state.BeginWalk();
      std::string pieces;
      while (state.walking()) {
        pieces += state.NextPiece(1 + rng.Below(64));
        for (uint64_t i = rng.Below(8); i > 0; --i) state.Apply(log.Stamp(), log.Command());
      }
      RC_ASSERT(pieces == before);
      for (const Torrent& torrent : state.registry().state().torrents) RC_ASSERT(torrent.claims.kept() == 0u);
      RC_ASSERT(state.sessions().state().sessions.kept() == 0u);
    }
    RC_ASSERT(ReplicatedState::Decode(Slice::Own(state.Encode())).ok());
  }));
}

TEST(ReplicatedStateProperty, DamagedBytesAreRefusedOrMeanAStateThatHasItsDigest) {
  EXPECT_TRUE(rc::check("cuts and flipped bits", [] {
    Log log(*rc::gen::arbitrary<uint64_t>());
    ReplicatedState state;
    for (int i = 0; i < 60; ++i) state.Apply(log.Stamp(), log.Command());
    const std::string bytes = state.Encode();
    const size_t at = *rc::gen::inRange<size_t>(0, bytes.size());
    RC_ASSERT(!ReplicatedState::Decode(Slice::Copy(bytes.substr(0, at))).ok());
    RC_ASSERT(!ReplicatedState::Decode(Slice::Copy(bytes + "x")).ok());
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << *rc::gen::inRange(0, 8)));
    const absl::StatusOr<ReplicatedState> decoded = ReplicatedState::Decode(Slice::Copy(damaged));
    if (decoded.ok()) RC_ASSERT(decoded->Encode() == damaged);
  }));
}

}  // namespace
}  // namespace bt::tracker
