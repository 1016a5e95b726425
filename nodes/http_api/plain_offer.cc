#include "nodes/http_api/plain_offer.h"

#include <charconv>
#include <system_error>
#include <utility>

namespace bt::nodes {
namespace {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool Take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  // As JSON writes whole numbers: no sign, no leading zero.
  template <class T>
  bool TakeNumber(T& number) {
    const char* end = rest_.data() + rest_.size();
    const auto [stop, error] = std::from_chars(rest_.data(), end, number);
    if (error != std::errc()) return false;
    const size_t digits = static_cast<size_t>(stop - rest_.data());
    if (digits > 1 && rest_.front() == '0') return false;
    rest_.remove_prefix(digits);
    return true;
  }
  // Up to a quotation mark, which is taken, too. An address has none, and nothing that JSON would escape.
  bool TakeAddress(Address& address) {
    const size_t end = rest_.find('"');
    if (end == std::string_view::npos) return false;
    const std::optional<Address> parsed = Address::Parse(rest_.substr(0, end));
    if (!parsed) return false;
    address = *parsed;
    rest_.remove_prefix(end + 1);
    return true;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// After the opening bracket, up to the closing one.
bool TakeRanges(Cursor& cursor, std::vector<PieceRange>& ranges) {
  if (cursor.Take("]")) return true;
  do {
    uint32_t first = 0;
    uint32_t count = 0;
    if (!cursor.Take("[") || !cursor.TakeNumber(first) || !cursor.Take(",")) return false;
    if (!cursor.TakeNumber(count) || !cursor.Take("]")) return false;
    if (ranges.size() == kPieceCountLimit) return false;
    ranges.push_back({PieceIndex(first), count});
  } while (cursor.Take(","));
  return cursor.Take("]");
}

}  // namespace

std::optional<OfferBody> ReadPlainOffer(std::string_view text) {
  Cursor cursor(text);
  OfferBody body;
  if (!cursor.Take("{\"peer\":\"") || !cursor.TakeAddress(body.peer)) return std::nullopt;
  if (cursor.Take(",\"pieces\":[") && !TakeRanges(cursor, body.pieces)) return std::nullopt;
  if (cursor.Take(",\"session\":")) {
    uint64_t session = 0;
    if (!cursor.TakeNumber(session) || !cursor.Take(",\"sequence\":")) return std::nullopt;
    if (!cursor.TakeNumber(body.id.sequence)) return std::nullopt;
    body.id.session = SessionId(session);
  }
  if (!cursor.Take("}")) return std::nullopt;
  cursor.Take("\n");
  if (!cursor.empty()) return std::nullopt;
  return body;
}

}  // namespace bt::nodes
