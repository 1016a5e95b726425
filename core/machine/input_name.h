#pragma once

// What an input is called: InputText for people's eyes in a trace, InputDigest for comparing two runs. Both
// come from the input's Fields; the alternative's place in the variant is its only number.

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>

#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/base/ids.h"
#include "core/machine/input.h"

namespace bt {

namespace input_internal {

// Adds the members that tell one input from another without encoding them: a message, a request or a list
// counts by its kind or length alone. Whoever needs a message's bytes in a digest adds them where they are.
class Digester {
 public:
  template <class T>
  void operator()(const char*, const T& value) {
    if constexpr (std::integral<T> || std::is_enum_v<T>) {
      digest_.Add(static_cast<uint64_t>(value));
    } else if constexpr (fields_internal::IsTagged<T>::value) {
      digest_.Add(static_cast<uint64_t>(value.value()));
    } else if constexpr (fields_internal::IsVariant<T>::value) {
      digest_.Add(value.index());
    } else if constexpr (fields_internal::IsVector<T>::value) {
      digest_.Add(value.size());
    } else if constexpr (std::same_as<T, std::string>) {
      digest_.Add(std::string_view(value));
    } else if constexpr (std::same_as<T, Slice>) {
      digest_.Add(value.view());
    } else if constexpr (fields_internal::IsByteArray<T>::value) {
      digest_.Add(std::string_view(reinterpret_cast<const char*>(value.data()), value.size()));
    } else if constexpr (std::same_as<T, absl::Status>) {
      digest_.Add(static_cast<uint64_t>(value.code()));
    } else if constexpr (HasFields<T>) {
      T::Fields(value, *this);
    } else {
      static_assert(std::is_empty_v<T>, "an input's member needs a place in the digest");
    }
  }

  uint64_t value() const { return digest_.value(); }

 private:
  RollingDigest digest_;
};

}  // namespace input_internal

template <class... Alternatives>
uint64_t InputDigest(const std::variant<Alternatives...>& input) {
  input_internal::Digester digester;
  digester("input", input);
  const auto add = [&](const auto& one) { digester("", one); };
  std::visit(
      [&](const auto& one) {
        add(one);
        if constexpr (requires { std::visit(add, one.what); }) std::visit(add, one.what);  // FileCompleted
      },
      input);
  return digester.value();
}

// "in 48" for a link that was accepted, "out 9" for one the machine opened.
inline std::string LinkText(LinkId link) {
  return ((link.value() & kInboundLink) != 0 ? "in " : "out ") + std::to_string(link.value() & ~kInboundLink);
}

// "Received{from=2 message=Accept{..}}", "LinkUp{link=in 48 ..}".
template <class... Alternatives>
std::string InputText(const std::variant<Alternatives...>& input) {
  std::string text = TraceText(input);
  const auto name_link = [&](const auto& one) {
    if constexpr (requires {
                    { one.link } -> std::convertible_to<LinkId>;
                  }) {
      const std::string number = std::to_string(one.link.value());
      text.replace(text.find("link=" + number) + 5, number.size(), LinkText(one.link));
    }
  };
  std::visit(name_link, input);
  return text;
}

}  // namespace bt
