#include "nodes/http_api/uri.h"

#include <algorithm>
#include <array>

#include "core/base/digest.h"

namespace bt::nodes {

namespace {

bool Unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

bool ParsePath(std::string_view path, Target& target) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment.empty() && path.empty()) return true;  // a trailing slash means nothing
    if (target.path.size() == kPathSegmentLimit) return false;
    std::optional<std::string> decoded = PercentDecode(segment, /*plus_is_space=*/false);
    if (!decoded) return false;
    target.path.push_back(*std::move(decoded));
  }
  return true;
}

bool ParseQuery(std::string_view query, Target& target) {
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    if (field.empty()) continue;
    if (target.query.size() == kQueryFieldLimit) return false;
    const size_t equals = field.find('=');
    std::optional<std::string> name = PercentDecode(field.substr(0, equals), true);
    std::optional<std::string> value =
        equals == std::string_view::npos ? std::string() : PercentDecode(field.substr(equals + 1), true);
    if (!name || !value) return false;
    target.query.emplace_back(*std::move(name), *std::move(value));
  }
  return true;
}

}  // namespace

const std::string* Target::Find(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<Target> ParseTarget(std::string_view text) {
  if (!text.starts_with('/')) {
    const size_t authority = text.find("://");
    if (authority == std::string_view::npos) return std::nullopt;
    const size_t path = text.find('/', authority + 3);
    text = path == std::string_view::npos ? std::string_view("/") : text.substr(path);
  }
  text = text.substr(0, text.find('#'));
  const size_t question = text.find('?');
  Target target;
  if (!ParsePath(text.substr(0, question), target)) return std::nullopt;
  if (question != std::string_view::npos && !ParseQuery(text.substr(question + 1), target))
    return std::nullopt;
  return target;
}

std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  if (text.find_first_of(plus_is_space ? "%+" : "%") == std::string_view::npos) return std::string(text);
  std::string out(text.size(), '\0');
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      std::array<uint8_t, 1> byte{};
      if (!FromHex(text.substr(i + 1, 2), byte)) return std::nullopt;
      out[size++] = static_cast<char>(byte[0]);
      i += 2;
    } else {
      out[size++] = plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  out.resize(size);
  return out;
}

std::string PercentEncode(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    if (Unreserved(c)) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
    }
  }
  return out;
}

}  // namespace bt::nodes
