#pragma once

// Whose clock an instant is read off. Within a node an Instant is the node's own and needs no more words. In
// a message it is another's as soon as it arrives: the clocks of two nodes have origins of their own, and
// nothing in common but, nearly, their rate. On one machine, where all processes read one clock, nobody
// notices.
//
// So a message that carries a time says whose it is: a ForeignInstant, or, where all nodes mean the same by
// it (the time of a replicated log), `static constexpr bool kInstantsAreAgreedOn = true` in the struct. What
// is meant by most of them is a Duration. NamesItsClocks is false for a type that carries an Instant and says
// nothing.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <compare>
#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/fields.h"
#include "core/base/time.h"

namespace bt {

// A reading of a clock that is not, or not known to be, the reader's own. Readings of one clock can be
// compared and subtracted; that two are of one clock is for the protocol to know.
class ForeignInstant {
 public:
  ForeignInstant() = default;
  // Of the sender's own clock, to be sent.
  explicit ForeignInstant(Instant own) : instant_(own) {}

  // The same reading, for the node whose clock it is: one that it sent and was sent back.
  Instant BackHome() const { return instant_; }

  friend auto operator<=>(ForeignInstant, ForeignInstant) = default;
  friend Duration operator-(ForeignInstant a, ForeignInstant b) { return a.instant_ - b.instant_; }

  using Plain = int64_t;
  Plain ToPlain() const { return instant_.ns; }
  static std::optional<ForeignInstant> FromPlain(Plain ns) { return ForeignInstant(Instant{ns}); }

 private:
  Instant instant_;
};

namespace clocks_internal {

template <class T>
constexpr bool Names();

template <class T>
struct Parts : std::bool_constant<true> {};
template <class T>
struct Parts<std::vector<T>> : std::bool_constant<Names<T>()> {};
template <class T>
struct Parts<std::optional<T>> : std::bool_constant<Names<T>()> {};
template <class K>
struct Parts<absl::btree_set<K>> : std::bool_constant<Names<K>()> {};
template <class K, class V>
struct Parts<absl::btree_map<K, V>> : std::bool_constant<Names<K>() && Names<V>()> {};
template <class A, class B>
struct Parts<std::pair<A, B>> : std::bool_constant<Names<A>() && Names<B>()> {};
template <class... T>
struct Parts<std::variant<T...>> : std::bool_constant<(Names<T>() && ...)> {};

struct Visitor {
  bool names = true;
  template <class T>
  constexpr void operator()(const char*, const T&) {
    names = names && Names<T>();
  }
};

template <class T>
constexpr bool Names() {
  if constexpr (std::same_as<T, Instant>) {
    return false;
  } else if constexpr (requires { requires T::kInstantsAreAgreedOn; }) {
    return true;
  } else if constexpr (TravelsAsPlain<T>) {
    return Names<typename T::Plain>();
  } else if constexpr (HasFields<T> && !std::is_empty_v<T>) {
    Visitor visitor;
    T::Fields(fields_internal::nowhere<T>.value, visitor);
    return visitor.names;
  } else {
    return Parts<T>::value;
  }
}

}  // namespace clocks_internal

template <class T>
concept NamesItsClocks = clocks_internal::Names<T>();

}  // namespace bt
