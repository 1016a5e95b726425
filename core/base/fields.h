#pragma once

// Fields: a struct lists its members once,
//
//     static constexpr void Fields(auto& self, auto&& visit) { visit("slot", self.slot); ... }
//
// and from that list come encoding, decoding with bounds checks, digest and trace text here, and the
// property tests' generators in tests/support. The compiler counts the list against the struct's members
// (kListsEveryMember), so that none is forgotten. The encoding is canonical (equal values have equal
// bytes) and self-delimiting: integers are minimal LEB128, signed ones zigzagged, strings and sequences
// are length-prefixed, a variant is its index and the alternative, fixed arrays of bytes are raw.
//
// A class with more in memory than it needs to send (a count, an index) travels as another type instead:
//
//     using Plain = ...;
//     Plain ToPlain() const;                                 or a const reference
//     static std::optional<Class> FromPlain(Plain plain);    nullopt: no value of the class has that form
//
// Decoding never reads past the input, never allocates more than the input could fill, and refuses
// anything that Encode would not have produced. Equality is the struct's own defaulted operator==.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "core/base/slice.h"
#include "core/base/tagged.h"
#include "core/base/time.h"

namespace bt {

namespace fields_internal {

struct Ignore {
  void operator()(const char*, auto&) const {}
};

template <class T>
struct IsTagged : std::false_type {};
template <class Tag, class Rep>
struct IsTagged<Tagged<Tag, Rep>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsByteArray : std::false_type {};
template <size_t N>
struct IsByteArray<std::array<uint8_t, N>> : std::true_type {};
template <class T>
struct IsBtreeMap : std::false_type {};
template <class K, class V>
struct IsBtreeMap<absl::btree_map<K, V>> : std::true_type {};
template <class T>
struct IsBtreeSet : std::false_type {};
template <class K>
struct IsBtreeSet<absl::btree_set<K>> : std::true_type {};

}  // namespace fields_internal

template <class T>
concept HasFields = requires(T& value, fields_internal::Ignore visit) {
  T::Fields(value, visit);
};

template <class T>
concept TravelsAsPlain = requires(const T& value, typename T::Plain plain) {
  plain = value.ToPlain();
  { T::FromPlain(std::move(plain)) } -> std::same_as<std::optional<T>>;
};

// An enum that travels names its last enumerator kLast (an alias), so that decoding can check the range.
template <class T>
concept FieldEnum = std::is_enum_v<T> && requires {
  T::kLast;
};

namespace fields_internal {

// Stands for a member of any type in a braced list that is never evaluated.
struct AnyMember {
  template <class T>
  operator T() const;
};
template <class T, size_t... I>
constexpr bool TakesMembers(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyMember{})...}; };
}

// An object that is nowhere: its members can be named in a constant expression, and are never read.
template <class T>
struct Nowhere {
  union {
    char none;
    T value;
  };
};
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wundefined-var-template"
#endif
template <class T>
extern Nowhere<T> nowhere;

struct Counter {
  size_t count = 0;
  constexpr void operator()(const char*, const auto&) { ++count; }
};
template <class T>
constexpr size_t ListedMembers() {
  Counter counter;
  T::Fields(nowhere<T>.value, counter);
  return counter.count;
}
#pragma GCC diagnostic pop

// How many members, younger than the struct's format, the list leaves to who encodes it; negative: adds.
template <class T>
constexpr size_t MembersApart() {
  if constexpr (requires { T::kMembersApart; }) return static_cast<size_t>(T::kMembersApart);
  return 0;
}

// An aggregate of n members can be initialised from n values and not from n + 1.
template <class T>
inline constexpr bool kListsEveryMember =
    TakesMembers<T>(std::make_index_sequence<ListedMembers<T>() + MembersApart<T>()>()) &&
    !TakesMembers<T>(std::make_index_sequence<ListedMembers<T>() + MembersApart<T>() + 1>());

template <class T>
constexpr void CheckList() {
  static_assert(HasFields<T>, "a type that travels needs Fields");
  if constexpr (!std::is_empty_v<T>) {  // which need not be an aggregate
    static_assert(kListsEveryMember<T>, "Fields must list every member of the struct, each once");
  }
}

}  // namespace fields_internal

class Encoder {
 public:
  // Appends to `out`.
  explicit Encoder(std::string& out) : out_(out) {}

  template <class T>
  void operator()(const char*, const T& value) {
    Put(value);
  }

  template <class T>
  void Put(const T& value) {
    using namespace fields_internal;
    if constexpr (std::same_as<T, bool>) {
      out_.push_back(value ? 1 : 0);
    } else if constexpr (FieldEnum<T>) {
      PutVarint(static_cast<uint64_t>(value));
    } else if constexpr (std::unsigned_integral<T>) {
      PutVarint(value);
    } else if constexpr (std::signed_integral<T>) {
      const int64_t wide = value;
      PutVarint((static_cast<uint64_t>(wide) << 1) ^ static_cast<uint64_t>(wide >> 63));
    } else if constexpr (IsTagged<T>::value) {
      Put(value.value());
    } else if constexpr (std::same_as<T, Duration> || std::same_as<T, Instant>) {
      Put(value.ns);
    } else if constexpr (std::same_as<T, std::string>) {
      PutBytes(value);
    } else if constexpr (std::same_as<T, Slice>) {
      PutBytes(value.view());
    } else if constexpr (IsByteArray<T>::value) {
      out_.append(BytesOf(value));
    } else if constexpr (IsVector<T>::value || IsBtreeMap<T>::value || IsBtreeSet<T>::value) {
      PutVarint(value.size());
      for (const auto& item : value) Put(item);
    } else if constexpr (IsOptional<T>::value) {
      out_.push_back(value ? 1 : 0);
      if (value) Put(*value);
    } else if constexpr (IsPair<T>::value) {
      Put(value.first);
      Put(value.second);
    } else if constexpr (IsVariant<T>::value) {
      PutVarint(value.index());
      std::visit([this](const auto& alternative) { this->Put(alternative); }, value);
    } else if constexpr (std::same_as<T, std::monostate>) {
    } else if constexpr (TravelsAsPlain<T>) {
      Put(value.ToPlain());
    } else {
      CheckList<T>();
      T::Fields(value, *this);
    }
  }

 private:
  void PutVarint(uint64_t value) {
    if (value < 0x80) return out_.push_back(static_cast<char>(value));
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  void PutBytes(std::string_view bytes) {
    PutVarint(bytes.size());
    out_.append(bytes);
  }

  std::string& out_;
};

class Decoder {
 public:
  // Decoded slices share `source`'s bytes.
  explicit Decoder(Slice source) : source_(std::move(source)) {}

  template <class T>
  void operator()(const char* name, T& value) {
    if (error_ == nullptr) Get(name, value);
  }

  template <class T>
  void Get(const char* name, T& value) {
    using namespace fields_internal;
    if constexpr (std::same_as<T, bool>) {
      value = GetFlag(name);
    } else if constexpr (FieldEnum<T> || std::integral<T>) {
      GetNumber(name, value);
    } else if constexpr (IsTagged<T>::value) {
      typename T::rep number = 0;
      Get(name, number);
      value = T(number);
    } else if constexpr (std::same_as<T, Duration> || std::same_as<T, Instant>) {
      Get(name, value.ns);
    } else if constexpr (std::same_as<T, std::string>) {
      value.assign(GetBytes(name).view());
    } else if constexpr (std::same_as<T, Slice>) {
      value = GetBytes(name);
    } else if constexpr (IsByteArray<T>::value) {
      if (remaining() < value.size()) return Fail(name, "truncated");
      std::memcpy(value.data(), source_.data() + position_, value.size());
      position_ += value.size();
    } else if constexpr (IsVector<T>::value || IsBtreeMap<T>::value || IsBtreeSet<T>::value) {
      GetSequence(name, value);
    } else if constexpr (IsOptional<T>::value) {
      value.reset();
      if (GetFlag(name)) Get(name, value.emplace());
    } else if constexpr (IsPair<T>::value) {
      Get(name, value.first);
      if (error_ == nullptr) Get(name, value.second);
    } else if constexpr (IsVariant<T>::value) {
      GetVariant(name, value, std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (std::same_as<T, std::monostate>) {
    } else if constexpr (TravelsAsPlain<T>) {
      GetPlain(name, value);
    } else {
      CheckList<T>();
      T::Fields(value, *this);
    }
  }

  size_t remaining() const { return source_.size() - position_; }
  bool ok() const { return error_ == nullptr; }
  // What is wrong and in which field; call only when !ok().
  absl::Status status() const;

 private:
  void Fail(const char* field, const char* error) {
    if (error_ == nullptr) {
      error_ = error;
      field_ = field;
    }
  }
  bool GetFlag(const char* name);
  uint64_t GetVarint(const char* name);
  uint64_t GetCount(const char* name);
  Slice GetBytes(const char* name);

  template <class T>
  void GetNumber(const char* name, T& value) {
    const uint64_t number = GetVarint(name);
    if constexpr (FieldEnum<T>) {
      if (number > static_cast<uint64_t>(T::kLast)) return Fail(name, "enumerator out of range");
      value = static_cast<T>(number);
    } else if constexpr (std::unsigned_integral<T>) {
      if (number > std::numeric_limits<T>::max()) return Fail(name, "integer out of range");
      value = static_cast<T>(number);
    } else {
      const int64_t wide = static_cast<int64_t>(number >> 1) ^ -static_cast<int64_t>(number & 1);
      if (wide > std::numeric_limits<T>::max() || wide < std::numeric_limits<T>::min()) {
        return Fail(name, "integer out of range");
      }
      value = static_cast<T>(wide);
    }
  }

  template <class T>
  void GetSequence(const char* name, T& value) {
    using namespace fields_internal;
    const uint64_t count = GetCount(name);
    value.clear();
    if constexpr (IsVector<T>::value) value.reserve(count < 64 ? count : 64);
    for (uint64_t i = 0; i < count && error_ == nullptr; ++i) {
      if constexpr (IsVector<T>::value) {
        Get(name, value.emplace_back());
      } else {
        typename T::key_type key{};
        Get(name, key);
        if (!value.empty() && !(LastKey(value) < key)) return Fail(name, "keys out of order");
        if constexpr (IsBtreeMap<T>::value) {
          Get(name, value[key]);
        } else {
          value.insert(value.end(), std::move(key));
        }
      }
    }
  }
  template <class T>
  static const auto& LastKey(const T& sorted) {
    if constexpr (fields_internal::IsBtreeMap<T>::value) {
      return std::prev(sorted.end())->first;
    } else {
      return *std::prev(sorted.end());
    }
  }

  template <class T>
  void GetPlain(const char* name, T& value) {
    typename T::Plain plain{};
    Get(name, plain);
    if (error_ != nullptr) return;
    std::optional<T> made = T::FromPlain(std::move(plain));
    if (!made) return Fail(name, "no value has this form");
    value = *std::move(made);
  }

  template <class V, size_t... I>
  void GetVariant(const char* name, V& value, std::index_sequence<I...>) {
    const uint64_t index = GetVarint(name);
    if (error_ != nullptr) return;
    if (index >= sizeof...(I)) return Fail(name, "unknown alternative");
    (void)((index == I ? (Get(name, value.template emplace<I>()), true) : false) || ...);
  }

  Slice source_;
  size_t position_ = 0;
  const char* error_ = nullptr;
  const char* field_ = nullptr;
};

template <class T>
std::string Encode(const T& value) {
  std::string out;
  out.reserve(128);  // most messages fit: no byte of them is moved twice
  Encoder(out).Put(value);
  return out;
}

// Decodes exactly all of `bytes`. kInvalidArgument names the field and what is wrong with it.
template <class T>
absl::StatusOr<T> Decode(const Slice& bytes) {
  T value{};
  Decoder decoder(bytes);
  decoder.Get("message", value);
  if (!decoder.ok()) return decoder.status();
  if (decoder.remaining() != 0) return absl::InvalidArgumentError("bytes left over after the message");
  return value;
}

template <class T>
uint64_t DigestOf(const T& value) {
  return HashBytes(Encode(value));
}

namespace fields_internal {

// "bt::paxos::Accept" -> "Accept", "bt::Received<bt::paxos::Protocol>" -> "Received".
template <class T>
constexpr std::string_view TypeName() {
  std::string_view name = __PRETTY_FUNCTION__;
  const size_t start = name.find("T = ") + 4;
  name = name.substr(start, name.find_first_of(";]", start) - start);
  name = name.substr(0, name.find('<'));
  const size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

class Tracer {
 public:
  template <class T>
  void operator()(const char* name, const T& value) {
    if (text_.back() != '{') text_ += ' ';
    text_ += name;
    text_ += '=';
    Put(value);
  }

  template <class T>
  void Put(const T& value) {
    if constexpr (std::same_as<T, bool>) {
      text_ += value ? "true" : "false";
    } else if constexpr (std::is_enum_v<T>) {
      text_ += std::to_string(static_cast<int64_t>(value));
    } else if constexpr (std::integral<T>) {
      text_ += std::to_string(value);
    } else if constexpr (IsTagged<T>::value) {
      text_ += std::to_string(value.value());
    } else if constexpr (std::same_as<T, Duration> || std::same_as<T, Instant>) {
      text_ += std::to_string(value.ns) + "ns";
    } else if constexpr (std::same_as<T, std::string>) {
      PutBytes(value);
    } else if constexpr (std::same_as<T, Slice>) {
      PutBytes(value.view());
    } else if constexpr (IsByteArray<T>::value) {
      text_ += Hex(BytesOf(value).substr(0, 8));
      if (value.size() > 8) text_ += "..";
    } else if constexpr (IsVector<T>::value || IsBtreeMap<T>::value || IsBtreeSet<T>::value) {
      text_ += '[';
      size_t shown = 0;
      for (const auto& item : value) {
        if (shown > 0) text_ += ' ';
        if (++shown > 8) {
          text_ += ".. " + std::to_string(value.size()) + " in all";
          break;
        }
        Put(item);
      }
      text_ += ']';
    } else if constexpr (IsOptional<T>::value) {
      if (value) {
        Put(*value);
      } else {
        text_ += "none";
      }
    } else if constexpr (IsPair<T>::value) {
      Put(value.first);
      text_ += ':';
      Put(value.second);
    } else if constexpr (IsVariant<T>::value) {
      std::visit([this](const auto& alternative) { this->Put(alternative); }, value);
    } else if constexpr (std::same_as<T, std::monostate>) {
      text_ += "nothing";
    } else if constexpr (std::same_as<T, absl::Status>) {
      text_ += value.ok() ? "ok" : value.ToString();
    } else if constexpr (TravelsAsPlain<T>) {
      Put(value.ToPlain());
    } else if constexpr (HasFields<T>) {
      CheckList<T>();
      text_ += TypeName<T>();
      text_ += '{';
      T::Fields(value, *this);
      text_ += '}';
    } else {
      text_ += TypeName<T>();  // what does not travel needs no Fields, and is shown by its name
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  void PutBytes(std::string_view bytes);

  std::string text_;
};

}  // namespace fields_internal

// "Accept{ballot=Ballot{round=3 node=1} slot=7 ..}", bounded in length for long sequences and strings.
template <class T>
std::string TraceText(const T& value) {
  fields_internal::Tracer tracer;
  tracer.Put(value);
  return tracer.Take();
}

}  // namespace bt
