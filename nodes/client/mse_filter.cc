#include "nodes/client/mse_filter.h"

#include <absl/strings/str_cat.h>
#include <openssl/bn.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/torrent/sha1.h"

namespace bt::nodes {
namespace {

constexpr uint32_t kPlainly = 1;
constexpr uint32_t kRc4 = 2;
constexpr size_t kCheckBytes = 8;
constexpr std::string_view kCheck("\0\0\0\0\0\0\0\0", kCheckBytes);

// 768 bits; the generator is 2.
constexpr char kPrime[] =
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3"
    "CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563";

void Draw(void* room, size_t size) { CHECK(getrandom(room, size, 0) == static_cast<ssize_t>(size)); }

std::string Padding(size_t most) {
  uint16_t drawn = 0;
  Draw(&drawn, sizeof drawn);
  std::string bytes(drawn % (most + 1), '\0');
  Draw(bytes.data(), bytes.size());
  return bytes;
}

using Number = std::unique_ptr<BIGNUM, void (*)(BIGNUM*)>;

Number NumberOf(std::string_view bytes) {
  return {BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()),
                    nullptr),
          BN_free};
}

Number Prime() {
  BIGNUM* prime = nullptr;
  CHECK(BN_hex2bn(&prime, kPrime) > 0);
  return {prime, BN_free};
}

// base^exponent modulo the prime.
template <size_t N>
void Power(const BIGNUM* base, std::string_view exponent, std::array<char, N>& result) {
  const std::unique_ptr<BN_CTX, void (*)(BN_CTX*)> context(BN_CTX_new(), BN_CTX_free);
  const Number power(BN_new(), BN_free);
  CHECK(BN_mod_exp(power.get(), base, NumberOf(exponent).get(), Prime().get(), context.get()) == 1);
  CHECK(BN_bn2binpad(power.get(), reinterpret_cast<unsigned char*>(result.data()), N) == static_cast<int>(N));
}

absl::Status Refuse(std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("message stream encryption: ", std::string(why)));
}

void Mask(std::array<char, 20>& part, const std::array<char, 20>& mask) {
  for (size_t i = 0; i < part.size(); ++i) part[i] = static_cast<char>(part[i] ^ mask[i]);
}

}  // namespace

Rc4::Rc4(std::string_view key) {
  for (size_t i = 0; i < state_.size(); ++i) state_[i] = static_cast<uint8_t>(i);
  uint8_t j = 0;
  for (size_t i = 0; i < state_.size(); ++i) {
    j = static_cast<uint8_t>(j + state_[i] + static_cast<uint8_t>(key[i % key.size()]));
    std::swap(state_[i], state_[j]);
  }
  for (int i = 0; i < 1024; ++i) Next();
}

uint8_t Rc4::Next() {
  ++i_;
  j_ = static_cast<uint8_t>(j_ + state_[i_]);
  std::swap(state_[i_], state_[j_]);
  return state_[static_cast<uint8_t>(state_[i_] + state_[j_])];
}

void Rc4::Apply(char* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(static_cast<uint8_t>(bytes[i]) ^ Next());
}

MseFilter::MseFilter(const InfoHash& torrent, Offer offer) : dials_(true), offer_(offer), torrent_(torrent) {
  Begin();
}

MseFilter::MseFilter(Hashes known) : dials_(false), known_(std::move(known)) {}

// Draws this side's private key, and says the public one.
void MseFilter::Begin() {
  Draw(private_.data(), private_.size());
  Key key;
  Power(NumberOf("\2").get(), BytesOf(private_), key);
  unsent_.append(key.data(), key.size());
  unsent_ += Padding(kPadMax);
}

absl::Status MseFilter::PutEncoded(std::string_view encoded) {
  if (state_ == State::kOpen && encoded_.empty()) {
    const size_t before = plain_.size();
    plain_ += encoded;
    if (method_ == kRc4) in_->Apply(plain_.data() + before, encoded.size());
    return absl::OkStatus();
  }
  encoded_ += encoded;
  absl::Status status;
  while (status.ok() && state_ != State::kOpen && Advance(status)) {
  }
  return status;
}

// One step of the handshake, if all that it needs is there.
bool MseFilter::Advance(absl::Status& status) {
  switch (state_) {
    case State::kKey:
      return OnKey(status);
    case State::kRequest:
      return OnRequest(status);
    case State::kOffer:
      return OnOffer(status);
    case State::kFirst:
      return OnFirst();
    case State::kAnswer:
      return OnAnswer(status);
    case State::kMethod:
      return OnMethod(status);
    case State::kOpen:
      break;
  }
  return false;
}

MseFilter::Part MseFilter::Digest(std::string_view word, std::string_view with) {
  const Sha1Digest digest = Sha1(std::string(word).append(with));
  Part part;
  std::memcpy(part.data(), digest.data(), part.size());
  return part;
}

bool MseFilter::OnKey(absl::Status& status) {
  if (encoded_.size() < kKeyBytes) return false;
  const Number theirs = NumberOf(std::string_view(encoded_).substr(0, kKeyBytes));
  const Number prime = Prime();
  const Number last(BN_dup(prime.get()), BN_free);
  BN_sub_word(last.get(), 1);
  // 0, 1 and -1 have no other powers.
  if (BN_is_zero(theirs.get()) || BN_is_one(theirs.get()) || BN_cmp(theirs.get(), last.get()) >= 0) {
    status = Refuse("the peer's public key is none");
    return false;
  }
  encoded_.erase(0, kKeyBytes);
  if (!dials_) Begin();
  Power(theirs.get(), BytesOf(private_), secret_);
  if (!dials_) {
    state_ = State::kRequest;
    return true;
  }
  const std::string_view secret(secret_.data(), secret_.size());
  const Part found = Digest("req1", secret);
  Part meant = Digest("req2", BytesOf(torrent_));
  const Part mask = Digest("req3", secret);
  Mask(meant, mask);
  unsent_.append(found.data(), found.size());
  unsent_.append(meant.data(), meant.size());
  AgreeOn(torrent_);
  const std::string padding = Padding(kPadMax);
  std::string offer(kCheck);
  AppendBig(offer, static_cast<uint64_t>(offer_), 4);
  AppendBig(offer, padding.size(), 2);
  offer += padding;
  AppendBig(offer, 0, 2);  // no IA: the first bytes come when the connection is up
  Say(std::move(offer));
  state_ = State::kAnswer;
  return true;
}

// Both streams begin.
void MseFilter::AgreeOn(const InfoHash& torrent) {
  torrent_ = torrent;
  const std::string with = std::string(secret_.data(), secret_.size()).append(BytesOf(torrent));
  const Part a = Digest("keyA", with);
  const Part b = Digest("keyB", with);
  in_.emplace(std::string_view(dials_ ? b.data() : a.data(), a.size()));
  out_.emplace(std::string_view(dials_ ? a.data() : b.data(), a.size()));
}

void MseFilter::Say(std::string bytes) {
  out_->Apply(bytes.data(), bytes.size());
  unsent_ += bytes;
}

bool MseFilter::OnRequest(absl::Status& status) {
  const std::string_view secret(secret_.data(), secret_.size());
  const Part begin = Digest("req1", secret);
  const size_t at = encoded_.find(std::string_view(begin.data(), begin.size()));
  if (at == std::string::npos) {
    if (encoded_.size() >= kPadMax + begin.size()) status = Refuse("the peer does not say what it wants");
    return false;
  }
  if (encoded_.size() < at + 2 * begin.size()) return false;
  Part meant;
  std::memcpy(meant.data(), encoded_.data() + at + begin.size(), meant.size());
  encoded_.erase(0, at + 2 * begin.size());
  const Part mask = Digest("req3", secret);
  Mask(meant, mask);
  const std::vector<InfoHash> known = known_();
  const auto torrent = std::find_if(known.begin(), known.end(), [&](const InfoHash& hash) {
    return Digest("req2", BytesOf(hash)) == meant;
  });
  if (torrent == known.end()) {
    status = Refuse("the peer means a torrent that is not transferred here");
    return false;
  }
  AgreeOn(*torrent);
  state_ = State::kOffer;
  return true;
}

bool MseFilter::OnOffer(absl::Status& status) {
  constexpr size_t kFixed = kCheckBytes + 4 + 2;
  const auto decrypt = [&](size_t up_to) {
    if (encoded_.size() < up_to) return false;
    if (decrypted_ < up_to) in_->Apply(encoded_.data() + decrypted_, up_to - decrypted_);
    decrypted_ = std::max(decrypted_, up_to);
    return true;
  };
  if (!decrypt(kFixed)) return false;
  const size_t padding = LoadBig(encoded_.data() + kCheckBytes + 4, 2);
  if (!encoded_.starts_with(kCheck) || padding > kPadMax) {
    status = Refuse("the peer speaks something else");
    return false;
  }
  if (!decrypt(kFixed + padding + 2)) return false;
  const uint64_t offered = LoadBig(encoded_.data() + kCheckBytes, 4);
  first_ = LoadBig(encoded_.data() + kFixed + padding, 2);
  // Hiding is the peer's wish: where it can do without, bytes cost less.
  method_ = (offered & kPlainly) != 0 ? kPlainly : (offered & kRc4) != 0 ? kRc4 : 0;
  if (method_ == 0 || first_ > kFirstBytesMax) {
    status = Refuse(method_ == 0 ? "the peer offers no method that is known here"
                                 : "the peer begins with too much");
    return false;
  }
  encoded_.erase(0, kFixed + padding + 2);
  decrypted_ = 0;
  std::string answer(kCheck);
  AppendBig(answer, method_, 4);
  AppendBig(answer, 0, 2);  // no padding
  Say(std::move(answer));
  state_ = State::kFirst;
  return true;
}

bool MseFilter::OnFirst() {
  if (encoded_.size() < first_) return false;
  plain_ = encoded_.substr(0, first_);
  in_->Apply(plain_.data(), plain_.size());
  encoded_.erase(0, first_);
  Open();
  return true;
}

// The peer's check is the first that it encrypts, so it looks the same wherever its padding ends.
bool MseFilter::OnAnswer(absl::Status& status) {
  Rc4 behind = *in_;
  std::string check(kCheck);
  behind.Apply(check.data(), check.size());
  const size_t at = encoded_.find(check);
  if (at == std::string::npos) {
    if (encoded_.size() >= kPadMax + kCheckBytes) status = Refuse("the peer knows another torrent");
    return false;
  }
  in_ = behind;
  encoded_.erase(0, at + kCheckBytes);
  state_ = State::kMethod;
  return true;
}

bool MseFilter::OnMethod(absl::Status& status) {
  constexpr size_t kFixed = 4 + 2;
  if (encoded_.size() < kFixed) return false;
  if (decrypted_ == 0) in_->Apply(encoded_.data(), decrypted_ = kFixed);
  const size_t padding = LoadBig(encoded_.data() + 4, 2);
  method_ = static_cast<uint32_t>(LoadBig(encoded_.data(), 4));
  if ((method_ != kPlainly && method_ != kRc4) || padding > kPadMax) {
    status = Refuse("the peer answers with a method that was not offered");
    return false;
  }
  if (encoded_.size() < kFixed + padding) return false;
  in_->Apply(encoded_.data() + kFixed, padding);
  encoded_.erase(0, kFixed + padding);
  Open();
  return true;
}

// What has come behind the handshake is the peer's already.
void MseFilter::Open() {
  state_ = State::kOpen;
  const std::string rest = std::exchange(encoded_, {});
  PutEncoded(rest).IgnoreError();
}

size_t MseFilter::TakePlain(char* room, size_t size) {
  const size_t taken = std::min(size, plain_.size());
  std::memcpy(room, plain_.data(), taken);
  plain_.erase(0, taken);
  return taken;
}

absl::Status MseFilter::PutPlain(std::string_view plain) {
  CHECK(established());
  const size_t before = unsent_.size();
  unsent_ += plain;
  if (method_ == kRc4) out_->Apply(unsent_.data() + before, plain.size());
  return absl::OkStatus();
}

void MseFilter::TakeEncoded(std::string& encoded) {
  encoded += unsent_;
  unsent_.clear();
}

}  // namespace bt::nodes
