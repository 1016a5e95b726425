#pragma once

// DataReaders: requests for the bytes of a transfer's content, answered while it downloads (docs/daemon.md,
// "Reading"). Invariant: a byte is given out only when the piece that it is of was hashed from what lies in
// the file; a reader that asks for more waits for it. Memory: ranges of files are handed to the kernel, so
// that a reader takes none. Loop thread only.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "net/http/server.h"
#include "net/loop.h"
#include "nodes/daemon/byte_range.h"
#include "nodes/daemon/transfers.h"
#include "nodes/http_api/uri.h"

namespace bt::nodes {

class DataReaders {
 public:
  static constexpr size_t kReadersMax = 32;
  // Handed to the kernel at once, and looked at anew after that: what is given out is verified then.
  static constexpr uint64_t kPartBytes = 256 << 10;
  static constexpr Duration kPatience = Seconds(60);  // for the next byte, unless the reader says another
  static constexpr Duration kPatienceMax = Seconds(3600);  // wait=SECONDS

  // Both outlive it.
  DataReaders(net::Loop& loop, net::HttpServer& server, Transfers& transfers);

  // GET or HEAD of /transfers/ID/data[/PATH][?wait=SECONDS]. The transfer is there.
  void Begin(net::HttpExchange exchange, const net::HttpRequest& request, const Target& target, uint64_t id);
  // As the server tells; exchanges of others are ignored.
  void More(net::HttpExchange exchange);
  void Gone(net::HttpExchange exchange) { readers_.erase(exchange); }

 private:
  struct Reader {
    uint64_t transfer = 0;
    std::string path;   // below the tree, or the file's name, or empty; at most a header's length
    std::string range;  // the header's value, likewise
    std::string if_range;
    bool head_only = false;
    Duration patience = kPatience;
    // Once the answer has begun.
    bool begun = false;
    bool wants = true;  // the next part, or the beginning
    uint64_t at = 0;    // in the content
    uint64_t end = 0;
    Instant deadline;
  };
  enum class Step : uint8_t { kWaits, kDone };
  Step Advance(net::HttpExchange exchange, Reader& reader);
  Step Start(net::HttpExchange exchange, Reader& reader, DaemonTransfer& transfer);
  Step GiveUp(net::HttpExchange exchange, const Reader& reader, int status, std::string_view why);
  void GoOn(net::HttpExchange exchange);
  void OnPoll();

  net::Loop& loop_;
  net::HttpServer& server_;
  Transfers& transfers_;
  absl::btree_map<net::HttpExchange, Reader> readers_;  // at most kReadersMax
  net::Timer poll_;
};

}  // namespace bt::nodes
