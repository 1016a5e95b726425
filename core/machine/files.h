#pragma once

// Files of a machine are its protocol's matter: P::FileEffect is what it has done with them, P::FileDone how
// that completes. NoFiles stands for both where machines work on none: nobody can make one.

#include <concepts>

namespace bt {

struct NoFiles {
  NoFiles() = delete;

  static constexpr void Fields(auto&, auto&&) {}
};

template <class P>
concept HasFiles = !std::same_as<typename P::FileEffect, NoFiles>;

}  // namespace bt
