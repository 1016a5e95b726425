#pragma once

// Tokens: what a client shows to a tracker so that it may do what not everybody may. A tracker keeps their
// SHA-256 alone, in a file of lines "NAME ROLES SHA256-HEX": who reads that file can show no token. A line
// "anybody ROLES -" says what may be done without one. Roles are words with commas between them. Pure, but
// for the functions that name a path.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"

namespace bt::nodes {

enum class TokenRole : uint8_t {
  kRead,      // list, fetch, look up, status, metrics
  kOffer,     // claim and withdraw; includes read
  kRegister,  // bind names; includes read
  kAnnounce,  // announce and scrape as ordinary clients do, where trackers want a key for it; includes
              // nothing
  kAdmin,     // everything
  kCount,
};
std::string_view TokenRoleName(TokenRole role);

class TokenRoles {
 public:
  // "read,offer". kInvalidArgument names the word that is no role.
  static absl::StatusOr<TokenRoles> Parse(std::string_view text);

  bool Has(TokenRole role) const { return (bits_ & Bit(role)) != 0; }
  // As Parse reads it, what is included left out; empty when there is none.
  std::string ToString() const;

 private:
  static constexpr uint8_t Bit(TokenRole role) { return static_cast<uint8_t>(1 << static_cast<int>(role)); }
  uint8_t bits_ = 0;  // what is included is set, too
};

// 64 hexadecimal digits of 32 random bytes, behind a prefix by which programs that look for leaked secrets
// know it.
std::string DrawToken();
// Whether it can stand behind "Bearer " (RFC 6750, b64token), in at most kTokenBytesMax bytes.
bool IsToken(std::string_view text);
inline constexpr size_t kTokenBytesMax = 1024;
// The token of a file that holds one line. kFailedPrecondition: it holds something else; the error does not
// say what. Blocks.
absl::StatusOr<std::string> ReadToken(const std::string& path);

// A name in a file of tokens: letters, digits, dots, hyphens and underscores, 1 to 64, and not "anybody".
bool IsTokenName(std::string_view name);
// The line of that token, without its end.
std::string TokenLine(std::string_view name, const TokenRoles& roles, std::string_view token);

class TokenTable {
 public:
  static constexpr size_t kEntriesMax = 1024;
  static constexpr size_t kFileBytesMax = 256 * 1024;

  struct Entry {
    std::string name;
    TokenRoles roles;
    Sha256Digest hash{};
  };

  // kInvalidArgument: "PATH, line N: what is wrong". Empty lines and lines that begin with # say nothing. A
  // name may stand there twice, so that its holders can change from one token to the next.
  static absl::StatusOr<TokenTable> Parse(std::string_view text, const std::string& path);

  // Whose token it is; nullptr: nobody's. Takes the same time wherever the token stands, and however much of
  // it is right.
  const Entry* Find(std::string_view token) const;
  // Of who shows no token.
  const TokenRoles& anybody() const { return anybody_; }
  size_t size() const { return entries_.size(); }

 private:
  absl::Status ReadLine(std::string_view line);

  std::vector<Entry> entries_;
  TokenRoles anybody_;
  bool anybody_said_ = false;
};

}  // namespace bt::nodes
