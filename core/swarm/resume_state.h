#pragma once

// ResumeState: what a checkpoint says beside a partly downloaded file: which pieces of which content are
// verified and durable. Written by the engine, handed back by the host when the file is opened again.

#include <cstdint>
#include <string>

#include "core/torrent/content_id.h"

namespace bt::swarm {

struct ResumeState {
  ContentId content;
  uint32_t piece_length = 0;
  std::string verified;  // as a BEP 3 bitfield

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("content", self.content);
    visit("piece_length", self.piece_length);
    visit("verified", self.verified);
  }
  friend bool operator==(const ResumeState&, const ResumeState&) = default;
};

}  // namespace bt::swarm
