#pragma once

// WebClient: fetches ranges of files from the web servers that a torrent names (BEP 19, RFC 9110 section 14).
// NodeId(i) is the i-th of them. A server has one connection at a time, to the first of its name's addresses
// that can be connected to; the name is looked up before each range, beside the loop. Redirects are followed
// to the same server alone: whoever made a torrent must not choose by them what else is asked. Loop thread
// only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/swarm/protocol.h"
#include "core/torrent/metainfo.h"
#include "net/http/client.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "nodes/client/web_seed_url.h"

namespace bt::nodes {

// What a download knows of the web servers of its torrent.
struct WebSeedList {
  std::vector<WebSeedUrl> seeds;
  std::vector<std::string> names;      // the URLs as they are shown, one per seed
  std::vector<std::string> warnings;   // lines about URLs that cannot be used
  std::optional<net::TlsContext> tls;  // absent where no seed is https
};
// Reads the URLs that a torrent lists, at most kWebSeedsMax of them. `authorities_file`: whose
// certificates are trusted (--ca); empty: the system's. Errors name that file.
absl::StatusOr<WebSeedList> TakeWebSeeds(const std::vector<std::string>& urls,
                                         const std::string& authorities_file);

class WebClient {
 public:
  static constexpr uint32_t kRedirectsMax = 3;  // for one range
  using Deliver = std::function<void(NodeId from, swarm::RangeFetched answer)>;

  // `deliver` is never called from within Send.
  WebClient(net::Loop& loop, const WebSeedList& list, Deliver deliver);

  // A range that is asked of a server ends what was asked of it before: there is one at a time.
  void Send(NodeId to, const swarm::FetchRange& fetch, const Metainfo& metainfo);

 private:
  struct Range {
    NodeId seed;
    swarm::FetchRange fetch;
    std::string target;
    Instant deadline;
    std::vector<Address> addresses;  // that have not been tried, the next one last
    uint32_t redirects = 0;
  };
  struct Server {
    WebSeedUrl url;
    std::unique_ptr<net::HttpClient> client;
    std::unique_ptr<net::Lookup> lookup;
    uint64_t request = 0;
  };
  void Ask(Range range);
  void Answered(Range range, absl::StatusOr<net::HttpResponse> response);
  void Redirected(Range range, std::string_view location);
  void Fail(const Range& range, std::string why);

  net::Loop& loop_;
  Deliver deliver_;
  std::vector<Server> servers_;
  net::Later later_;
};

}  // namespace bt::nodes
