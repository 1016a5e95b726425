#pragma once

// The client's half of the HTTP API: tracker_api::Request -> HTTP, HTTP -> tracker_api::Response. Pure.
// Invariant: ParseResponse(RenderResponse(y)) is y again (server.h), and what is not in the cluster's form
// (form.h) is refused. Nothing here throws, whatever the bytes.

#include <absl/status/statusor.h>

#include <string_view>

#include "core/tracker_api/tracker_api.h"
#include "net/http/message.h"

namespace bt::nodes {

// A register carries `torrent_file` as it is when given (its own info dictionary gives info-hashes that
// cannot be derived), else one made from the metainfo. Intervals are cut to whole seconds.
net::HttpRequest RenderRequest(const tracker_api::Request& request, std::string_view torrent_file = {});
// Shows a token with it (nodes/shared/tokens.h).
void AddToken(std::string_view token, net::HttpRequest& request);
// A request that lacks a token, or the right of one, is kInvalid with the tracker's sentence.
// kInvalidArgument: this is not a tracker's answer to that request; the message says what it is instead.
absl::StatusOr<tracker_api::Response> ParseResponse(const tracker_api::Request& request,
                                                    const net::HttpResponse& response);

}  // namespace bt::nodes
