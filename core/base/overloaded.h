#pragma once

// Overloaded: one function object from several lambdas, for std::visit.

namespace bt {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace bt
