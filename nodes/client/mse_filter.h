#pragma once

// MseFilter: Message Stream Encryption, also called protocol encryption: what lies under a BitTorrent
// handshake when one side asks for it. There are clients that speak with nobody who does not know it. It
// hides the protocol from who looks for its bytes on the way and nothing else: keys are agreed on with
// whoever answers, RC4 is long broken, and an info-hash, which is public, is all that is proven. No BEP
// describes it; the source is the specification of Azureus (Vuze wiki, "Message Stream Encryption", 2006),
// whose words are used here: A dials, B accepts, S is the Diffie-Hellman secret, SKEY the info-hash, VC eight
// zero bytes, IA the first bytes of A.
//
//   A -> B: A's public key, 0 to 512 random bytes
//   B -> A: B's public key, 0 to 512 random bytes
//   A -> B: SHA1("req1" S), SHA1("req2" SKEY) ^ SHA1("req3" S), RC4(VC, methods offered, PadC, IA)
//   B -> A: RC4(VC, method chosen, PadD)
//   after which both sides speak RC4, or plainly if both can and B says so.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tracker_api/tracker_api.h"
#include "net/filter.h"

namespace bt::nodes {

class Rc4 {
 public:
  explicit Rc4(std::string_view key);  // 1 to 256 bytes; the first 1024 bytes of the stream are thrown away
  void Apply(char* bytes, size_t size);

 private:
  uint8_t Next();

  std::array<uint8_t, 256> state_{};
  uint8_t i_ = 0;
  uint8_t j_ = 0;
};

class MseFilter final : public net::Filter {
 public:
  using Hashes = std::function<std::vector<InfoHash>()>;

  // What the side that dials can do; both offered, the other side says which.
  enum class Offer : uint8_t { kRc4 = 2, kPlainlyOrRc4 = 3 };

  // Dials, for the torrent of this info-hash.
  explicit MseFilter(const InfoHash& torrent, Offer offer = Offer::kPlainlyOrRc4);
  // Accepts, for those of the torrents of these info-hashes one of which the peer means; asked once.
  explicit MseFilter(Hashes known);

  bool established() const override { return state_ == State::kOpen; }
  // Of which torrent the peer has spoken; once established.
  const InfoHash& torrent() const { return torrent_; }

  absl::Status PutEncoded(std::string_view encoded) override;
  size_t TakePlain(char* room, size_t size) override;
  bool has_plain() const override { return !plain_.empty(); }
  bool ended() const override { return false; }
  bool ends_with_descriptor() const override { return true; }
  absl::Status PutPlain(std::string_view plain) override;
  void End() override {}
  void TakeEncoded(std::string& encoded) override;

 private:
  static constexpr size_t kKeyBytes = 96;
  static constexpr size_t kPadMax = 512;
  static constexpr size_t kFirstBytesMax = 16 << 10;  // of IA; a handshake has 68
  using Key = std::array<char, kKeyBytes>;            // big-endian
  using Part = std::array<char, 20>;                  // a SHA-1

  enum class State : uint8_t {
    kKey,      // the peer's public key is awaited
    kRequest,  // B: the two hashes are
    kOffer,    // B: what is behind them
    kFirst,    // B: IA is
    kAnswer,   // A: VC, which tells where the peer's padding ends, is
    kMethod,   // A: what is behind it
    kOpen,
  };

  void Begin();
  bool Advance(absl::Status& status);
  bool OnKey(absl::Status& status);
  bool OnRequest(absl::Status& status);
  bool OnOffer(absl::Status& status);
  bool OnFirst();
  bool OnAnswer(absl::Status& status);
  bool OnMethod(absl::Status& status);
  static Part Digest(std::string_view word, std::string_view with);
  void AgreeOn(const InfoHash& torrent);
  void Say(std::string bytes);
  void Open();

  const bool dials_;
  const Offer offer_ = Offer::kPlainlyOrRc4;
  const Hashes known_;
  State state_ = State::kKey;
  InfoHash torrent_{};
  std::array<uint8_t, 20> private_{};
  Key secret_{};
  std::optional<Rc4> in_;
  std::optional<Rc4> out_;
  uint32_t method_ = 0;
  size_t first_ = 0;      // bytes of IA
  size_t decrypted_ = 0;  // bytes of `encoded_` that are
  std::string encoded_;   // come and not yet understood: at most a chunk of the transport's behind 18 KiB
  std::string unsent_;    // at most what was given since TakeEncoded
  std::string plain_;     // at most a chunk of the transport's
};

}  // namespace bt::nodes
