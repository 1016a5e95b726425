#include "nodes/tracker/audit_log.h"

#include <absl/strings/str_cat.h>

#include <variant>

#include "net/http/message.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// What strangers have chosen comes last: a name can look like an outcome, and is none there.
std::string Line(std::string_view who, std::string_view what, std::string_view outcome) {
  return absl::StrCat("audit: ", Absl(who), ": ", Absl(outcome), ": ", Absl(what));
}

std::string WhoAt(std::string_view token, const Address& from) {
  return absl::StrCat(token.empty() ? "anybody" : absl::StrCat("token ", Absl(token)), " at ",
                      from.ToString());
}

template <class Claim>
std::string ClaimText(const char* verb, const Claim& claim, const char* of_nothing) {
  uint64_t pieces = 0;
  for (const PieceRange& range : claim.pieces) pieces += range.count;
  const std::string count = pieces == 0 ? of_nothing : absl::StrCat(pieces, " pieces");
  return absl::StrCat(verb, " as ", claim.peer.ToString(), " ", count, " of ",
                      Printable(tracker_api::KeyText(claim.torrent)));
}

}  // namespace

std::string WriteText(const tracker_api::Request& request) {
  if (const auto* registration = std::get_if<tracker_api::Register>(&request)) {
    return absl::StrCat("register ", registration->metainfo.content().ToString(), " as ",
                        Printable(registration->metainfo.name));
  }
  if (const auto* offer = std::get_if<tracker_api::Offer>(&request))
    return ClaimText("offer", *offer, "no further pieces");
  if (const auto* withdrawal = std::get_if<tracker_api::Withdraw>(&request)) {
    return ClaimText("withdraw", *withdrawal, "the claim");
  }
  return {};
}

std::string AuditLog::OutcomeOf(int status) {
  return absl::StrCat(status, " ", Absl(net::HttpReason(status)));
}

void AuditLog::Ordered(std::string_view what, std::string_view outcome) {
  tell_(Line("administrator", Printable(what), outcome));
}

void AuditLog::Written(std::string_view who, const Address& from, std::string_view what,
                       std::string_view outcome) {
  tell_(Line(WhoAt(who, from), what, outcome));
}

void AuditLog::Refused(std::string_view who, const Address& from, std::string_view what,
                       std::string_view outcome) {
  const Instant now = now_();
  if (now - second_ >= Seconds(1)) {
    second_ = now;
    refusals_ = 0;
  }
  if (refusals_ >= kRefusalsPerSecond) {
    ++left_out_;
    return;
  }
  ++refusals_;
  std::string line = Line(WhoAt(who, from), what, outcome);
  if (left_out_ > 0) absl::StrAppend(&line, " (and ", left_out_, " refusals before it that are not told)");
  left_out_ = 0;
  tell_(line);
}

}  // namespace bt::nodes
