#pragma once

// What makes an answer a tracker's. The port of a tracker may belong to some other web server by now, so an
// answer counts as the cluster's word only in the cluster's own form: JSON and torrents carry kApiHeader,
// announces and scrapes are bencoded dictionaries under status 200 (BEP 3, BEP 48). ParseResponse refuses
// everything else, whatever its status. Shared by both halves of the HTTP API.

#include <string>
#include <string_view>

#include "core/base/address.h"
#include "net/http/message.h"

namespace bt::nodes {

// Says that an answer is a ByteTorrent tracker's, and in which version of this API it is written.
inline constexpr std::string_view kApiHeader = "ByteTorrent-Api";
inline constexpr std::string_view kApiVersion = "1";
// The id of a mutation travels in these headers (or in the JSON of an offer).
inline constexpr std::string_view kSessionHeader = "ByteTorrent-Session";
inline constexpr std::string_view kSequenceHeader = "ByteTorrent-Sequence";
// A token travels in it, behind "Bearer " (RFC 6750).
inline constexpr std::string_view kAuthorizationHeader = "Authorization";

// The host of an address without brackets, as announces and their answers carry it.
std::string HostText(const Address& address);

// An answer in the cluster's own form. `body` is JSON unless `content_type` says otherwise.
net::HttpResponse ApiResponse(int status, std::string body,
                              std::string_view content_type = "application/json");
// For people and programs that read no JSON.
net::HttpResponse TextResponse(int status, std::string_view text);

}  // namespace bt::nodes
