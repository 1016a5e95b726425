#pragma once

// The payloads of extension messages (BEP 10): the extension handshake, pieces of info dictionaries (BEP 9)
// and peer exchanges (BEP 11), as bencode. The half of wire.h that is no fixed frame; wire.cc is its user.

#include <cstdint>
#include <string>

#include "core/base/slice.h"
#include "core/swarm/wire.h"

namespace bt::swarm::wire {

inline constexpr uint8_t kExtendedId = 20;  // of the frame that carries them all

// What follows the extension's id, but for the bytes of a piece of an info dictionary.
std::string ExtensionText(const ExtendedHandshake& handshake);
std::string ExtensionText(const Metadata& metadata);
std::string ExtensionText(const PeerExchange& exchange);

// One message from the extension's id and what follows it; nullptr or what is wrong.
const char* ParseExtension(const Slice& body, Message& message);

}  // namespace bt::swarm::wire
