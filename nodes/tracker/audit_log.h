#pragma once

// AuditLog: who has changed what through this node: one line for each write where tokens are asked for, for
// each that was refused for want of one, and for each order of an administrator, with its outcome. Lines of
// refusals are bounded, because anybody can cause them. Loop thread only.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/tracker_api/tracker_api.h"

namespace bt::nodes {

// "register CONTENT-ID as music.mp3"; empty for what changes nothing. An announce is none of these: who makes
// one shows no token.
std::string WriteText(const tracker_api::Request& request);

class AuditLog {
 public:
  // So many lines of refusals within a second; of the others the next line tells how many they were.
  static constexpr uint32_t kRefusalsPerSecond = 10;

  using Tell = std::function<void(const std::string& line)>;
  using Clock = std::function<Instant()>;
  AuditLog(Tell tell, Clock now) : tell_(std::move(tell)), now_(std::move(now)) {}

  // The outcome of a request that was answered with that HTTP status, and of one that was asked and whose
  // asker left before the answer: what it asked for may be done all the same.
  static std::string OutcomeOf(int status);
  static constexpr std::string_view kGone = "asked, and gone before the answer";

  // `who`: a token's name, empty for who shows none.
  void Written(std::string_view who, const Address& from, std::string_view what, std::string_view outcome);
  void Refused(std::string_view who, const Address& from, std::string_view what, std::string_view outcome);
  // By an administrator, through the socket in the data directory.
  void Ordered(std::string_view what, std::string_view outcome);

 private:
  const Tell tell_;
  const Clock now_;
  Instant second_;         // when the second began that `refusals_` counts
  uint32_t refusals_ = 0;  // lines told in it
  uint64_t left_out_ = 0;  // since the last line
};

}  // namespace bt::nodes
