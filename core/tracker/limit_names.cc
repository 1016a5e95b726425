#include "core/tracker/limit_names.h"

#include <absl/strings/str_cat.h>

#include <limits>
#include <type_traits>

namespace bt::tracker {
namespace {

// Visits each number with its full name.
template <class Visit>
struct Walk {
  Visit& visit;
  std::string prefix;

  template <class T>
  void operator()(const char* name, T& value) {
    using Plain = std::remove_const_t<T>;
    if constexpr (std::is_integral_v<Plain> || std::is_same_v<Plain, Duration>) {
      visit(prefix + name, value);
    } else {
      Plain::Fields(value, Walk{visit, absl::StrCat(prefix, name, ".")});
    }
  }
};

template <class L, class Visit>
void ForEach(L& limits, Visit visit) {
  Limits::Fields(limits, Walk<Visit>{visit, ""});
}

}  // namespace

std::vector<NamedLimit> NamedLimits(const Limits& limits) {
  std::vector<NamedLimit> named;
  ForEach(limits, [&](const std::string& name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Duration>) {
      named.push_back({name, "seconds", static_cast<uint64_t>(value.seconds())});
    } else {
      const bool bytes = name.ends_with("bytes") || name.ends_with("piece_length");
      named.push_back({name, bytes ? "bytes" : "", value});
    }
  });
  return named;
}

absl::Status SetNamedLimit(Limits& limits, std::string_view name, uint64_t value) {
  absl::Status status = absl::InvalidArgumentError(absl::StrCat(
      "no limit is called \"", std::string(name), "\"; bytetorrent cluster limits shows the names"));
  ForEach(limits, [&](const std::string& each, auto& limit) {
    if (each != name) return;
    using T = std::decay_t<decltype(limit)>;
    uint64_t most = 0;
    if constexpr (std::is_same_v<T, Duration>) {
      most = static_cast<uint64_t>(Duration{std::numeric_limits<int64_t>::max()}.seconds());
    } else {
      most = std::numeric_limits<T>::max();
    }
    if (value > most) {
      status = absl::InvalidArgumentError(absl::StrCat(each, " is at most ", most, ", not ", value));
      return;
    }
    if constexpr (std::is_same_v<T, Duration>) {
      limit = Seconds(static_cast<int64_t>(value));
    } else {
      limit = static_cast<T>(value);
    }
    status = absl::OkStatus();
  });
  return status;
}

}  // namespace bt::tracker
