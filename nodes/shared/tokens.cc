#include "nodes/shared/tokens.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <sys/random.h>

#include <algorithm>

#include "core/base/check.h"
#include "nodes/shared/files.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr std::string_view kTokenPrefix = "btt_";
constexpr std::string_view kAnybody = "anybody";
constexpr std::string_view kNoHash = "-";
constexpr size_t kNameBytesMax = 64;

// Equal digests give true. Looks at every byte whatever the first ones are.
bool SameDigest(const Sha256Digest& a, const Sha256Digest& b) {
  unsigned differs = 0;
  for (size_t i = 0; i < a.size(); ++i) differs |= static_cast<unsigned>(a[i] ^ b[i]);
  return differs == 0;
}

}  // namespace

std::string_view TokenRoleName(TokenRole role) {
  switch (role) {
    case TokenRole::kRead:
      return "read";
    case TokenRole::kOffer:
      return "offer";
    case TokenRole::kRegister:
      return "register";
    case TokenRole::kAnnounce:
      return "announce";
    case TokenRole::kAdmin:
    case TokenRole::kCount:
      break;
  }
  return "admin";
}

absl::StatusOr<TokenRoles> TokenRoles::Parse(std::string_view text) {
  TokenRoles roles;
  for (const absl::string_view word : absl::StrSplit(Absl(text), ',')) {
    if (word == "read") {
      roles.bits_ |= Bit(TokenRole::kRead);
    } else if (word == "offer") {
      roles.bits_ |= Bit(TokenRole::kOffer) | Bit(TokenRole::kRead);
    } else if (word == "register") {
      roles.bits_ |= Bit(TokenRole::kRegister) | Bit(TokenRole::kRead);
    } else if (word == "announce") {
      roles.bits_ |= Bit(TokenRole::kAnnounce);
    } else if (word == "admin") {
      roles.bits_ |= Bit(TokenRole::kCount) - 1;
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", Printable({word.data(), word.size()}),
          "' is no role: give read, offer, register, announce or admin, with commas between several"));
    }
  }
  return roles;
}

std::string TokenRoles::ToString() const {
  if (Has(TokenRole::kAdmin)) return "admin";
  std::string text;
  for (const TokenRole role :
       {TokenRole::kOffer, TokenRole::kRegister, TokenRole::kRead, TokenRole::kAnnounce}) {
    const bool included = role == TokenRole::kRead && !text.empty();
    if (Has(role) && !included) absl::StrAppend(&text, text.empty() ? "" : ",", Absl(TokenRoleName(role)));
  }
  return text;
}

std::string DrawToken() {
  std::array<uint8_t, 32> secret;
  CHECK(getrandom(secret.data(), secret.size(), 0) == static_cast<ssize_t>(secret.size()));
  return std::string(kTokenPrefix) + Hex(secret);
}

bool IsToken(std::string_view text) {
  if (text.size() > kTokenBytesMax) return false;
  while (text.ends_with('=')) text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) return text.status();
  std::string token(absl::StripAsciiWhitespace(*text));
  if (IsToken(token)) return token;
  return absl::FailedPreconditionError(
      absl::StrCat(path,
                   " holds no token, or more than one line; \"bytetorrent token new\" makes such a file, or "
                   "ask whoever operates the trackers for one"));
}

bool IsTokenName(std::string_view name) {
  const auto fits = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name != kAnybody &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string TokenLine(std::string_view name, const TokenRoles& roles, std::string_view token) {
  return absl::StrCat(Absl(name), " ", roles.ToString(), " ", Hex(Sha256(token)));
}

absl::StatusOr<TokenTable> TokenTable::Parse(std::string_view text, const std::string& path) {
  TokenTable table;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(Absl(text), '\n')) {
    ++number;
    const absl::Status status = table.ReadLine({line.data(), line.size()});
    if (status.ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ", line ", number, ": ", status.message()));
  }
  return table;
}

absl::Status TokenTable::ReadLine(std::string_view line) {
  const std::vector<std::string> words =
      absl::StrSplit(Absl(line), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.empty() || words[0].starts_with('#')) return absl::OkStatus();
  if (words.size() != 3) {
    return absl::InvalidArgumentError(
        "a line is NAME ROLES SHA256-HEX, as \"bytetorrent token new\" prints it, or anybody ROLES -");
  }
  const absl::StatusOr<TokenRoles> roles = TokenRoles::Parse(words[1]);
  if (!roles.ok()) return roles.status();
  if (words[0] == kAnybody) {
    if (words[2] != kNoHash) return absl::InvalidArgumentError("anybody has no token: write - for its hash");
    if (anybody_said_) return absl::InvalidArgumentError("anybody stands there for the second time");
    anybody_ = *roles;
    anybody_said_ = true;
    return absl::OkStatus();
  }
  Entry entry{.name = words[0], .roles = *roles};
  if (!IsTokenName(entry.name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", Printable(entry.name), "' is no name: at most 64 letters, digits, dots, hyphens, underscores"));
  }
  if (!FromHex(words[2], entry.hash)) {
    return absl::InvalidArgumentError("the third word is not the 64 hexadecimal digits of a SHA-256");
  }
  for (const Entry& other : entries_) {
    if (SameDigest(other.hash, entry.hash)) {
      return absl::InvalidArgumentError(absl::StrCat("this token stands there already, as ", other.name));
    }
  }
  if (entries_.size() == kEntriesMax) {
    return absl::InvalidArgumentError(absl::StrCat("at most ", kEntriesMax, " tokens"));
  }
  entries_.push_back(std::move(entry));
  return absl::OkStatus();
}

const TokenTable::Entry* TokenTable::Find(std::string_view token) const {
  const Sha256Digest hash = Sha256(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (SameDigest(entry.hash, hash)) found = &entry;
  }
  return found;
}

}  // namespace bt::nodes
