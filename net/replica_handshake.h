#pragma once

// ReplicaHandshake: what two nodes say on a new connection before any message, so that each knows the other
// to hold the cluster's secret. One object per connection and side; it does no I/O and trusts nothing that it
// is given. Each frame's body is one word of it:
//
//   who dials:    Hello{version, cluster, first members, from, to, incarnation, nonce, levels, program}
//   who accepts:  Challenge{its own Hello, proof}
//   who dials:    Proof{proof}
//
// `version` stays in front in every version of the handshake, so that of any two it can be said which they
// speak. Levels are what the programs read of everything that comes after it: two that have none in common
// have nothing to say to each other.
//
// A guest is one that knows the secret and is no member: it dials as kGuest, and whoever is there.
//
// A proof is an HMAC-SHA256 under the secret over the direction and both Hellos, and so over the version, the
// cluster, both ids and both nonces. A proof is of use in no other handshake, because one of its nonces is
// the other side's, and not to its own author, because the direction is in it. Over TLS it is also over what
// both ends of that session alone know (net/filter.h, Binding), so that nobody passes it on from another one.
// What it does not do: on a connection in clear the frames that follow are neither encrypted nor signed, so
// whoever can change packets under way can still change them.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/base/slice.h"
#include "core/base/version.h"

namespace bt::net {

using ReplicaSecret = std::array<uint8_t, 32>;
using ReplicaNonce = std::array<uint8_t, 32>;
// No member's id.
inline constexpr NodeId kGuest{0};

struct ReplicaHello {
  static constexpr uint64_t kVersion = 7;

  uint64_t version = kVersion;
  uint64_t cluster = 0;
  uint64_t first_members = 0;  // a digest of them; 0: `from` has joined later, and learns from the log
  NodeId from;
  NodeId to;
  uint64_t incarnation = 0;  // of `from`: another one after its data were lost and it was initialised anew
  ReplicaNonce nonce{};
  uint32_t oldest_level = 0;
  uint32_t newest_level = 0;
  std::string program = bt::kVersion;  // its version, for people

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("version", self.version);
    visit("cluster", self.cluster);
    visit("first_members", self.first_members);
    visit("from", self.from);
    visit("to", self.to);
    visit("incarnation", self.incarnation);
    visit("nonce", self.nonce);
    visit("oldest_level", self.oldest_level);
    visit("newest_level", self.newest_level);
    visit("program", self.program);
  }
  friend bool operator==(const ReplicaHello&, const ReplicaHello&) = default;
};

struct ReplicaChallenge {
  ReplicaHello hello;
  Sha256Digest proof{};

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("hello", self.hello);
    visit("proof", self.proof);
  }
  friend bool operator==(const ReplicaChallenge&, const ReplicaChallenge&) = default;
};

struct ReplicaProof {
  Sha256Digest proof{};

  static constexpr void Fields(auto& self, auto&& visit) { visit("proof", self.proof); }
  friend bool operator==(const ReplicaProof&, const ReplicaProof&) = default;
};

class ReplicaHandshake {
 public:
  struct Identity {
    uint64_t cluster = 0;
    uint64_t first_members = 0;
    ReplicaSecret secret{};
    NodeId self;
    uint64_t incarnation = 0;
    uint32_t oldest_level = 0;  // what this program reads
    uint32_t newest_level = 0;
  };
  enum class Outcome : uint8_t {
    kMore,          // another word is awaited; peer() is who it claims to be
    kDone,          // the peer is who peer() says
    kMalformed,     // not a word of this handshake
    kForeign,       // another cluster or node than meant
    kOtherVersion,  // of a release that this one cannot speak with: difference() says both versions
    kUnproven,      // does not know the secret
  };
  struct Step {
    Outcome outcome = Outcome::kMalformed;
    std::string answer;  // a body to send, if not empty; at most kHelloBytesMax
  };

  // Who accepts learns the peer from its Hello. `nonce` is drawn for this connection alone, as FreshNonce
  // does.
  ReplicaHandshake(const Identity& identity, const ReplicaNonce& nonce);
  // Who dials means `peer`.
  ReplicaHandshake(const Identity& identity, const ReplicaNonce& nonce, NodeId peer);

  static ReplicaNonce FreshNonce();

  // Ties the proofs to the connection they go over; empty: to none, as if not called. Before the first word.
  void Bind(std::string binding) { binding_ = std::move(binding); }
  // The body that the dialling side sends first.
  std::string Open() const;
  Step Receive(const Slice& body);
  // Valid from the first kMore or kDone on.
  NodeId peer() const { return own_.to; }
  uint64_t peer_incarnation() const { return theirs_->incarnation; }
  const std::string& difference() const { return difference_; }

 private:
  enum class Role : uint8_t { kDials, kAccepts };

  bool IsForMe(const ReplicaHello& hello) const;
  // Whether the word, which begins with a Hello, is of a version of the handshake that is not spoken here.
  bool IsOfOtherVersion(const Slice& body);
  bool ReadsNothingInCommon(const ReplicaHello& hello);
  Sha256Digest ProofOf(Role author) const;
  Step OnHello(const Slice& body);
  Step OnChallenge(const Slice& body);
  Step OnProof(const Slice& body);

  ReplicaSecret secret_;
  Role role_;
  ReplicaHello own_;
  std::optional<ReplicaHello> theirs_;
  std::string binding_;     // at most 32 bytes
  std::string difference_;  // at most one sentence
};

}  // namespace bt::net
