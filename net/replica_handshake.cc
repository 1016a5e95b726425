#include "net/replica_handshake.h"

#include <absl/status/statusor.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include "core/base/check.h"
#include "core/base/fields.h"

namespace bt::net {
namespace {

constexpr std::string_view kDialsLabel = "bytetorrent replica link 3: who dials\n";
constexpr std::string_view kAcceptsLabel = "bytetorrent replica link 3: who accepts\n";
constexpr std::string_view kBoundLabel = "bytetorrent replica link 3, over TLS\n";

Sha256Digest HmacSha256(const ReplicaSecret& secret, std::string_view text) {
  Sha256Digest digest;
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) != nullptr);
  CHECK(size == digest.size());
  return digest;
}

// What a peer calls its version, fit for a line of a log.
std::string PlainWord(const std::string& text) {
  constexpr size_t kShown = 32;
  std::string word = text.substr(0, kShown);
  std::erase_if(word, [](char c) { return !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.'; });
  return word;
}

// How long it takes says nothing about where the first difference is.
bool EqualInConstantTime(const Sha256Digest& a, const Sha256Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

ReplicaHandshake::ReplicaHandshake(const Identity& identity, const ReplicaNonce& nonce)
    : secret_(identity.secret),
      role_(Role::kAccepts),
      own_{.cluster = identity.cluster,
           .first_members = identity.first_members,
           .from = identity.self,
           .incarnation = identity.incarnation,
           .nonce = nonce,
           .oldest_level = identity.oldest_level,
           .newest_level = identity.newest_level} {}

ReplicaHandshake::ReplicaHandshake(const Identity& identity, const ReplicaNonce& nonce, NodeId peer)
    : secret_(identity.secret),
      role_(Role::kDials),
      own_{.cluster = identity.cluster,
           .first_members = identity.first_members,
           .from = identity.self,
           .to = peer,
           .incarnation = identity.incarnation,
           .nonce = nonce,
           .oldest_level = identity.oldest_level,
           .newest_level = identity.newest_level} {}

ReplicaNonce ReplicaHandshake::FreshNonce() {
  ReplicaNonce nonce;
  CHECK(getrandom(nonce.data(), nonce.size(), 0) == static_cast<ssize_t>(nonce.size()));
  return nonce;
}

std::string ReplicaHandshake::Open() const { return Encode(own_); }

ReplicaHandshake::Step ReplicaHandshake::Receive(const Slice& body) {
  if (role_ == Role::kDials) return OnChallenge(body);
  return theirs_ ? OnProof(body) : OnHello(body);
}

// Nodes that began with different lists of members could have majorities that do not meet.
bool ReplicaHandshake::IsForMe(const ReplicaHello& hello) const {
  const bool same_beginning =
      hello.first_members == own_.first_members || hello.first_members == 0 || own_.first_members == 0;
  return hello.cluster == own_.cluster && same_beginning &&
         hello.to == (hello.from == kGuest && role_ == Role::kAccepts ? kGuest : own_.from);
}

bool ReplicaHandshake::IsOfOtherVersion(const Slice& body) {
  constexpr uint64_t kVersionsToCome = 64;  // what says more is no handshake at all
  Decoder decoder(body);
  uint64_t version = 0;
  decoder("version", version);
  if (!decoder.ok() || version == 0 || version > kVersionsToCome || version == ReplicaHello::kVersion)
    return false;
  difference_ = absl::StrCat("it speaks version ", version, " of the handshake, and this program (", kVersion,
                             ") speaks ", ReplicaHello::kVersion,
                             ": run releases that can speak with each other (docs/operating.md, upgrade)");
  return true;
}

bool ReplicaHandshake::ReadsNothingInCommon(const ReplicaHello& hello) {
  if (hello.newest_level >= own_.oldest_level && hello.oldest_level <= own_.newest_level) return false;
  difference_ = absl::StrCat("it is version ", PlainWord(hello.program), " and reads format levels ",
                             hello.oldest_level, " to ", hello.newest_level, ", and this program (", kVersion,
                             ") reads ", own_.oldest_level, " to ", own_.newest_level,
                             ": run releases that have one in common (docs/operating.md, upgrade)");
  return true;
}

// Encodings are self-delimiting: two different pairs of Hellos never give the same text.
Sha256Digest ReplicaHandshake::ProofOf(Role author) const {
  const bool dialled = role_ == Role::kDials;
  const std::string dialler = Encode(dialled ? own_ : *theirs_);
  const std::string acceptor = Encode(dialled ? *theirs_ : own_);
  const std::string_view label = author == Role::kDials ? kDialsLabel : kAcceptsLabel;
  const std::string bound = binding_.empty() ? std::string() : std::string(kBoundLabel) + Encode(binding_);
  return HmacSha256(secret_, bound + std::string(label) + dialler + acceptor);
}

ReplicaHandshake::Step ReplicaHandshake::OnHello(const Slice& body) {
  if (IsOfOtherVersion(body)) return {Outcome::kOtherVersion, {}};
  const absl::StatusOr<ReplicaHello> hello = Decode<ReplicaHello>(body);
  if (!hello.ok()) return {Outcome::kMalformed, {}};
  if (!IsForMe(*hello)) return {Outcome::kForeign, {}};
  if (ReadsNothingInCommon(*hello)) return {Outcome::kOtherVersion, {}};
  own_.to = hello->from;
  theirs_ = *hello;
  return {Outcome::kMore, Encode(ReplicaChallenge{own_, ProofOf(Role::kAccepts)})};
}

ReplicaHandshake::Step ReplicaHandshake::OnChallenge(const Slice& body) {
  if (IsOfOtherVersion(body)) return {Outcome::kOtherVersion, {}};
  const absl::StatusOr<ReplicaChallenge> challenge = Decode<ReplicaChallenge>(body);
  if (!challenge.ok()) return {Outcome::kMalformed, {}};
  const bool meant = own_.to == kGuest || challenge->hello.from == own_.to;
  if (!IsForMe(challenge->hello) || !meant) return {Outcome::kForeign, {}};
  if (ReadsNothingInCommon(challenge->hello)) return {Outcome::kOtherVersion, {}};
  theirs_ = challenge->hello;
  if (!EqualInConstantTime(challenge->proof, ProofOf(Role::kAccepts))) return {Outcome::kUnproven, {}};
  return {Outcome::kDone, Encode(ReplicaProof{ProofOf(Role::kDials)})};
}

ReplicaHandshake::Step ReplicaHandshake::OnProof(const Slice& body) {
  const absl::StatusOr<ReplicaProof> proof = Decode<ReplicaProof>(body);
  if (!proof.ok()) return {Outcome::kMalformed, {}};
  if (!EqualInConstantTime(proof->proof, ProofOf(Role::kDials))) return {Outcome::kUnproven, {}};
  return {Outcome::kDone, {}};
}

}  // namespace bt::net
