#pragma once

// EffectsDigest<P>: a digest of what one step of a machine does, in the order in which a runner does it.

#include <cstdint>
#include <string>
#include <variant>

#include "core/base/digest.h"
#include "core/base/fields.h"
#include "core/machine/outbox.h"

namespace bt {

template <class P>
class EffectsDigest {
 public:
  void Add(const JournalWrite& write) {
    digest_.Add(1, write.seq.value(), write.type);
    digest_.Add(write.body.view());
  }
  void AddForget(WriteSeq needed) { digest_.Add(2, needed.value()); }
  void Add(NodeId to, const typename P::Message& message) {
    digest_.Add(3, to.value());
    AddEncoded(message);
  }
  void Add(CallId call, const typename P::Response& response) {
    digest_.Add(4, call.value());
    AddEncoded(response);
  }
  void AddNote(const typename P::Note& note) {
    digest_.Add(5, note.index());
    AddEncoded(note);
  }
  void Add(const LinkEffect& effect) {
    digest_.Add(6, effect.index());
    std::visit([this](const auto& one) { AddLink(one); }, effect);
  }

  // Of what was added since the last call.
  uint64_t Take() {
    const uint64_t value = digest_.value();
    digest_ = RollingDigest();
    return value;
  }

 private:
  void AddEncoded(const auto& value) {
    scratch_.clear();
    Encoder(scratch_).Put(value);
    digest_.Add(std::string_view(scratch_));
  }
  void AddLink(const LinkConnect& one) {
    digest_.Add(one.link.value());
    AddEncoded(one.peer);
  }
  void AddLink(const LinkSendBytes& one) {
    digest_.Add(one.link.value());
    digest_.Add(one.bytes.view());
  }
  void AddLink(const LinkSendFile& one) {
    digest_.Add(one.link.value(), one.file.value(), one.offset, one.length);
    digest_.Add(one.header.view());
  }
  void AddLink(const LinkClose& one) { digest_.Add(one.link.value(), one.flush); }

  RollingDigest digest_;
  std::string scratch_;  // at most one effect
};

}  // namespace bt
