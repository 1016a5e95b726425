#pragma once

// HttpServer: HTTP/1.0 and 1.1 connections on one listening socket. Keep-alive; pipelined requests are
// handed out as they arrive and answered in their order, whatever order Reply() is called in.
// Requests take turns by the addresses they come from, so that none waits behind all that another address
// has asked for at once.
// Invariant: every exchange handed to the handler ends by one Reply(), and the last part of its body where
// that comes in parts, or by one call of `gone`; memory per connection and their number are bounded by the
// limits. Loop thread only.

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/highest.h"
#include "core/base/time.h"
#include "net/acceptor.h"
#include "net/address_group.h"
#include "net/connection.h"
#include "net/http/arrivals.h"
#include "net/http/codec.h"
#include "net/http/crowd.h"
#include "net/http/message.h"
#include "net/http/turns.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "net/socket.h"

namespace bt::net {

using HttpExchange = uint64_t;  // one request and its answer

struct HttpServerLimits {
  // A newcomer beyond them takes the place of the connection that has been idle for longest, of the address
  // (of IPv6: the /64) that has most of them; without an idle one it is closed as it is accepted. Of one
  // address at most so many, and whoever comes beyond that takes the place of an idle one of its own.
  size_t connections = 16384;
  size_t connections_per_address = 4096;
  size_t pipelined = 64;      // unanswered requests of one connection; above, it is not read
  size_t output = 64 * 1024;  // unsent bytes of one connection; above, it is not read
  // Unsent bytes, all connections together; above, at the end of the loop's iteration, the address with most
  // of them loses the connections whose answers have waited longest for their reader. Counted when an answer
  // is given and when all are taken.
  size_t unsent = 64 << 20;
  // Bytes of requests that are unfinished or wait for their turn, all connections together; above, the
  // address with most of them loses one.
  size_t receiving = 256 << 20;
  Duration idle = Seconds(75);  // between requests
  // For a request. slow_bytes of it are worth a second more, but never more than this time from now on: a
  // sender must keep up that rate, and who stops is soon given up however much it has sent.
  Duration request = Seconds(20);
  size_t slow_bytes = 16 * 1024;
  // What an iteration of the loop gives to requests, and at most so much of it to one connection while others
  // wait; one request is taken in any case. The rest waits for the next iteration: what else is due on the
  // loop's thread, heartbeats above all, comes in between.
  Duration iteration = Microseconds(500);
  Duration turn = Microseconds(100);
  ConnectionOptions connection;
};

struct HttpServerCounters : ConnectionCounters {
  uint64_t accepted = 0;
  uint64_t displaced = 0;   // idle, and their place was needed
  uint64_t unread = 0;      // their answers, not taken, filled the memory set aside for answers
  uint64_t overloaded = 0;  // dropped because unfinished requests fill the memory set aside for them
  uint64_t refused = 0;     // over the limit of connections
  uint64_t requests = 0;
  uint64_t deferred = 0;   // times that a connection's requests had to wait for their turn
  uint64_t malformed = 0;  // not HTTP, or over a limit: answered 4xx and closed
  uint64_t timed_out = 0;
};

class HttpServer {
 public:
  using Handler = std::function<void(HttpExchange, HttpRequest&&, const Address& peer)>;
  using Gone = std::function<void(HttpExchange)>;
  using More = std::function<void(HttpExchange)>;

  HttpServer(Loop& loop, Listener listener, const HttpServerLimits& limits, Handler handler, Gone gone);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const Address& address() const { return address_; }
  const HttpServerCounters& counters() const { return counters_; }
  size_t open_connections() const { return clients_.size(); }
  const Use& connections() const { return connections_; }
  const Use& unsent() const { return unsent_; }
  const Use& receiving() const { return receiving_; }
  // The most of one address, and of one connection.
  const Highest& most_of_address() const { return most_of_address_; }
  const Highest& most_pipelined() const { return most_pipelined_; }
  const Highest& most_output() const { return most_output_; }

  // Once per exchange, from the handler or later; ignored when the connection is gone.
  void Reply(HttpExchange exchange, const HttpResponse& response);
  // For answers with a body_in_parts: whom to tell, each time, that what was given of it has been taken and
  // the next part may come, now or later. Before the first such answer.
  void OnMore(More more) { more_ = std::move(more); }
  // The next part, of no more bytes than are left of the body; once each time that more was told. Ignored
  // when the connection is gone.
  void ReplyPart(HttpExchange exchange, FileRange part);
  // The rest of the body will not come: closes the connection, as `gone` tells. Not from within the handler.
  void Abort(HttpExchange exchange);
  // Closes the listener and idle connections; the others close after their last answer.
  void StopAccepting();

 private:
  using Group = AddressGroup;

  struct Pending {
    HttpExchange exchange;
    bool http_1_0;
    bool keep_alive;
    bool head_only;
    std::optional<std::string> answer;  // bytes, once given, until they are sent; at most `unsent` in all
    uint64_t rest = 0;                  // bytes of the body that are still to come in parts
  };
  struct Client {
    uint64_t id;
    std::unique_ptr<Connection> connection;
    HttpRequestReader reader;
    // At most `receiving` in all.
    std::string input;            // read but not yet parsed: reading was paused meanwhile
    std::deque<Pending> pending;  // in order of arrival; at most `pipelined`
    uint64_t next_sequence = 0;
    size_t held = 0;        // bytes of answers that wait for an earlier request's
    size_t unfinished = 0;  // bytes of the request that is being received
    size_t waiting = 0;     // bytes of `input`, as last counted
    size_t unsent = 0;      // bytes of answers, as last counted
    Instant request_deadline;
    size_t paid = 0;         // bytes of `unfinished` that have moved the deadline
    bool receiving = false;  // a request has begun and is not complete
    Crowd<Group>::Place idle;
    Arrivals::Place unread;
    Turns<Group>::Place turn;
    bool reads_ahead = false;  // while it waits for its turn
    bool no_more = false;      // nothing after the pending requests will be read
  };

  void Take(Fd fd, const Address& peer);
  bool Displace(std::optional<uint64_t> client);
  void OnEvent(Client& client, ConnectionEvent event);
  void OnFlushed(Client& client);
  void OnReadable(Client& client);
  void TakeUp(Client& client);
  void Go(Client& client, Instant until);
  void Read(Client& client, Instant until);
  void BeginIteration();
  bool MustWait() const;
  bool HasInput(const Client& client) const;
  void Parse(Client& client, std::string_view bytes, Instant until);
  void WaitForTurn(Client& client);
  void TakeTurns();
  void ArmTurns();
  bool HasRoomFor(const Client& client);
  bool ParseOne(Client& client, std::string_view& rest);
  void CountUnfinished(Client& client, size_t bytes);
  void CountWaiting(Client& client);
  void CountUnsent(Client& client);
  void DropUnread();
  uint64_t WhoseRequestIsDropped(const Client& receiving) const;
  void Refuse(Client& client, HttpRead why);
  void Send(Client& client, std::string& answer);
  void ReleaseAnswers(Client& client);
  void GoOn(Client& client);
  void SetDeadline(Client& client);
  bool Paused(const Client& client) const;
  void Remove(uint64_t id);

  Loop& loop_;
  const Address address_;
  const HttpServerLimits limits_;
  Handler handler_;
  Gone gone_;
  More more_;
  HttpServerCounters counters_;
  Use connections_;
  Use unsent_;     // of all clients' `unsent`
  Use receiving_;  // of all clients' `unfinished` and `waiting`
  Highest most_of_address_;
  Highest most_pipelined_;
  Highest most_output_;
  Crowd<Group> crowd_;
  Arrivals unread_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Client>> clients_;  // at most `connections`
  uint64_t next_client_ = 1;
  std::vector<char> buffer_;  // at most kReadSize
  std::string answer_;        // the one being written, kept for its room; at most one answer
  bool stopping_ = false;
  Deferred drop_unread_;
  Turns<Group> turns_;
  Timer next_turns_;
  Instant iteration_;      // of the loop, in which a request was looked at last
  Instant until_;          // when its time for requests is over
  bool taken_up_ = false;  // one of its requests has been
  std::optional<Acceptor> acceptor_;
};

}  // namespace bt::net
