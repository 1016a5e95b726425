#pragma once

// SHA-1 of content: what BEP 3 names pieces and info dictionaries by. Everything of ByteTorrent's own uses
// SHA-256 (core/base/digest.h).

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace bt {

using Sha1Digest = std::array<uint8_t, 20>;

Sha1Digest Sha1(std::string_view bytes);

// SHA-1 over bytes that arrive in parts.
class Sha1Stream {
 public:
  Sha1Stream();
  ~Sha1Stream();
  Sha1Stream(const Sha1Stream&) = delete;
  Sha1Stream& operator=(const Sha1Stream&) = delete;

  void Update(std::string_view bytes);
  Sha1Digest Finish();  // and starts over

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bt
