#pragma once

// rapidcheck generators for every type with Fields, derived from its one list of members: a default value
// is visited and each member filled. Sequences stay short; integers favour small ones and the edges.
//
//     const auto ask = *AnyOf<tracker_api::Ask>();

#include <rapidcheck.h>

#include <concepts>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include "core/base/fields.h"
#include "core/base/rng.h"

namespace bt::test {

// Visits a value and draws each member; to be used inside rc::gen::exec, which is what makes it shrink.
class Filler {
 public:
  template <class T>
  void operator()(const char*, T& value) {
    Fill(value);
  }

  template <class T>
  void Fill(T& value) {
    using namespace fields_internal;
    if constexpr (std::same_as<T, bool>) {
      value = *rc::gen::arbitrary<bool>();
    } else if constexpr (FieldEnum<T>) {
      value = static_cast<T>(*rc::gen::inRange<uint64_t>(0, static_cast<uint64_t>(T::kLast) + 1));
    } else if constexpr (std::integral<T>) {
      value = Integer<T>();
    } else if constexpr (IsTagged<T>::value) {
      value = T(Integer<typename T::rep>());
    } else if constexpr (std::same_as<T, Duration> || std::same_as<T, Instant>) {
      value.ns = Integer<int64_t>();
    } else if constexpr (std::same_as<T, std::string>) {
      value = Bytes();
    } else if constexpr (std::same_as<T, Slice>) {
      value = Slice::Own(Bytes());
    } else if constexpr (IsByteArray<T>::value) {
      Rng rng(*rc::gen::inRange<uint64_t>(0, 1000));
      for (uint8_t& byte : value) byte = static_cast<uint8_t>(rng.Next());
    } else if constexpr (IsVector<T>::value) {
      value.resize(Count());
      for (auto& item : value) Fill(item);
    } else if constexpr (IsBtreeMap<T>::value) {
      for (size_t i = Count(); i > 0; --i) {
        typename T::key_type key{};
        Fill(key);
        Fill(value[key]);
      }
    } else if constexpr (IsBtreeSet<T>::value) {
      for (size_t i = Count(); i > 0; --i) {
        typename T::key_type key{};
        Fill(key);
        value.insert(key);
      }
    } else if constexpr (IsOptional<T>::value) {
      value.reset();
      if (*rc::gen::arbitrary<bool>()) Fill(value.emplace());
    } else if constexpr (IsPair<T>::value) {
      Fill(value.first);
      Fill(value.second);
    } else if constexpr (IsVariant<T>::value) {
      FillVariant(value, std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (std::same_as<T, std::monostate>) {
    } else if constexpr (TravelsAsPlain<T>) {
      typename T::Plain plain{};
      Fill(plain);
      value = T::FromPlain(std::move(plain)).value_or(T{});
    } else {
      static_assert(HasFields<T>);
      T::Fields(value, *this);
    }
  }

 private:
  template <class T>
  static T Integer() {
    using Limits = std::numeric_limits<T>;
    constexpr T kSmall = Limits::max() < 1000 ? Limits::max() : static_cast<T>(1000);
    return *rc::gen::weightedOneOf<T>(
        {{4, rc::gen::inRange<T>(0, kSmall)},
         {2, rc::gen::arbitrary<T>()},
         {1, rc::gen::element<T>(Limits::min(), Limits::max(), static_cast<T>(Limits::max() / 2), 127,
                                 static_cast<T>(128))}});
  }
  static size_t Count() { return *rc::gen::inRange<size_t>(0, 5); }
  static std::string Bytes() {
    std::string bytes(*rc::gen::weightedOneOf<size_t>(
                          {{8, rc::gen::inRange<size_t>(0, 20)}, {1, rc::gen::inRange<size_t>(120, 300)}}),
                      '\0');
    Rng rng(*rc::gen::inRange<uint64_t>(0, 1000));
    for (char& byte : bytes) byte = static_cast<char>(rng.Next());
    return bytes;
  }

  template <class V, size_t... I>
  void FillVariant(V& value, std::index_sequence<I...>) {
    const size_t index = *rc::gen::inRange<size_t>(0, sizeof...(I));
    (void)((index == I ? (Fill(value.template emplace<I>()), true) : false) || ...);
  }
};

template <class T>
rc::Gen<T> AnyOf() {
  return rc::gen::exec([] {
    T value{};
    Filler().Fill(value);
    return value;
  });
}

// Garbage of at most `size_max` bytes.
inline rc::Gen<std::string> AnyBytes(size_t size_max) {
  return rc::gen::exec([size_max] {
    std::string bytes(*rc::gen::inRange<size_t>(0, size_max + 1), '\0');
    Rng rng(*rc::gen::arbitrary<uint64_t>());
    for (char& byte : bytes) byte = static_cast<char>(rng.Next());
    return bytes;
  });
}

}  // namespace bt::test
