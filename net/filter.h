#pragma once

// Filter: what may lie between a connection and its descriptor, such as TLS. It does no I/O: it turns bytes
// of the descriptor (encoded) into bytes of the user (plain) and back. The Transport that owns it moves
// encoded bytes: it reads whenever the filter has no plain bytes to give, and writes whatever TakeEncoded
// gives, so a filter that wants to read or to write says so by giving nothing or something.
// Memory: a filter holds what it was given since its output was last taken, and one record of its own.

#include <absl/status/status.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/address.h"

namespace bt::net {

class Filter {
 public:
  virtual ~Filter() = default;

  // The handshake is over; before that there are no plain bytes in either direction. The handshake advances
  // in PutEncoded and TakeEncoded.
  virtual bool established() const = 0;

  // Bytes from the descriptor. An error ends the connection, after what TakeEncoded still gives.
  virtual absl::Status PutEncoded(std::string_view encoded) = 0;
  // Up to `size` plain bytes; 0 when there are none.
  virtual size_t TakePlain(char* room, size_t size) = 0;
  // TakePlain would give something.
  virtual bool has_plain() const = 0;
  // The peer has ended its half in the filter's own terms. A descriptor that ends before is a broken one,
  // but for a filter that has no such terms.
  virtual bool ended() const = 0;
  virtual bool ends_with_descriptor() const { return false; }

  virtual absl::Status PutPlain(std::string_view plain) = 0;
  // There will be no more plain bytes to send; to be said to the peer, once however often this is called.
  virtual void End() = 0;
  // Appends what is to be written to the descriptor.
  virtual void TakeEncoded(std::string& encoded) = 0;

  // --- who is at the other end; once established ---

  // What both ends of this connection know and nobody else does, nor on any other connection: a proof over it
  // counts here alone (RFC 9266). Empty: the filter keeps nothing from who is on the way.
  virtual std::string Binding() const { return {}; }
  // Whether the peer has proven that it is who this DNS name names.
  virtual bool PeerIsCalled(const std::string&) const { return false; }
};

enum class FilterSide : uint8_t { kConnects, kAccepts };

// Makes the filter of one connection; an empty function stands for none.
using MakeFilter = std::function<std::unique_ptr<Filter>(FilterSide side, const Address& peer)>;

}  // namespace bt::net
