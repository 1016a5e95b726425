#pragma once

// KindsOf<M, Adaptor>: the names of all kinds of steps and notes that a machine could have in a world
// (step_kinds.h), those that cannot happen in a role among them. What a campaign has never reached is what it
// has never tested.

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/machine/input.h"
#include "sim/step_kinds.h"

namespace bt::sim {

namespace kinds_internal {

template <class T>
void List(const std::string& before, std::vector<std::string>& names);

template <class V, size_t... I>
void ListAlternatives(const std::string& before, std::vector<std::string>& names, std::index_sequence<I...>) {
  (List<std::variant_alternative_t<I, V>>(before, names), ...);
}

template <class T>
void List(const std::string& before, std::vector<std::string>& names) {
  if constexpr (fields_internal::IsVariant<T>::value) {
    ListAlternatives<T>(before, names, std::make_index_sequence<std::variant_size_v<T>>());
  } else if constexpr (std::is_default_constructible_v<T> && !std::is_same_v<T, std::monostate>) {
    const std::string text = TraceText(T{});
    const std::string name = before + ' ' + text.substr(0, text.find('{'));
    if constexpr (requires(T value) { value.message.index(); }) {
      List<decltype(T::message)>(name, names);
    } else if constexpr (requires(T value) { value.request.index(); }) {
      List<decltype(T::request)>(name, names);
    } else if constexpr (requires(T value) { value.what.index(); }) {
      List<decltype(T::what)>(name, names);
    } else if constexpr (requires { requires std::is_enum_v<decltype(T::timer)>; }) {
      for (unsigned i = 0; i < static_cast<unsigned>(decltype(T::timer)::kCount); ++i)
        names.push_back(name + ' ' + std::to_string(i));
    } else {
      names.push_back(name);
    }
  }
}

}  // namespace kinds_internal

template <class M, class Adaptor>
std::vector<std::string> KindsOf() {
  std::vector<std::string> names;
  for (const std::string_view role : Adaptor::kRoles) {
    std::string before(Adaptor::kMachine);
    if (!role.empty()) before += ' ' + std::string(role);
    kinds_internal::List<Input<typename M::Protocol>>(before, names);
    kinds_internal::List<typename M::Protocol::Note>(before, names);
  }
  return names;
}

}  // namespace bt::sim
