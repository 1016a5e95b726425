#include "net/http/server.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::net {

namespace {

constexpr size_t kReadSize = 64 * 1024;
constexpr Duration kSweepPeriod = Seconds(1);
// An exchange is its connection's number and the low bits of its own within the connection.
constexpr int kSequenceBits = 16;

}  // namespace

HttpServer::HttpServer(Loop& loop, Listener listener, const HttpServerLimits& limits, Handler handler,
                       Gone gone)
    : loop_(loop),
      address_(listener.address),
      limits_(limits),
      handler_(std::move(handler)),
      gone_(std::move(gone)),
      buffer_(kReadSize) {
  CHECK(limits_.pipelined < (size_t{1} << kSequenceBits));
  acceptor_.emplace(loop_, std::move(listener),
                    [this](Fd fd, const Address& peer) { Take(std::move(fd), peer); });
  sweep_timer_ = std::make_unique<Timer>(loop_, [this] { Sweep(); });
  flush_ = std::make_unique<Deferred>(loop_, [this] { FlushDirty(); });
}

HttpServer::~HttpServer() = default;

void HttpServer::Take(Fd fd, const Address& peer) {
  if (connections_.size() >= limits_.connections) {
    ++counters_.refused;
    return;
  }
  ++counters_.accepted;
  const uint64_t id = next_connection_++;
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->fd = std::move(fd);
  connection->peer = peer;
  connection->watcher = std::make_unique<Watcher>(loop_, connection->fd.get(), EPOLLIN,
                                                  [this, id](uint32_t events) { OnReady(id, events); });
  SetDeadline(*connection);
  connections_.emplace(id, std::move(connection));
  if (!sweep_timer_->armed()) sweep_timer_->Arm(loop_.now() + kSweepPeriod);
}

void HttpServer::OnReady(uint64_t id, uint32_t events) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return Close(id);
  if ((events & EPOLLOUT) != 0) MarkDirty(connection);
  if ((events & EPOLLIN) == 0) return;
  if (!ReadSome(connection)) return Close(id);
  if (!connection.draining) Parse(connection);
}

// False when the connection is to be closed at once.
bool HttpServer::ReadSome(Connection& connection) {
  const ssize_t got = ::recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  if (got == 0) {
    // The sender may have shut its half only: what it asked is answered first.
    if (connection.draining || (connection.pending.empty() && connection.output.empty())) return false;
    connection.no_more = true;
    MarkDirty(connection);
    return true;
  }
  counters_.bytes_in += static_cast<uint64_t>(got);
  if (!connection.draining) connection.input.append(buffer_.data(), static_cast<size_t>(got));
  return true;
}

bool HttpServer::Paused(const Connection& connection) const {
  return connection.pending.size() >= limits_.pipelined ||
         connection.output.size() - connection.sent + connection.held >= limits_.output;
}

void HttpServer::Parse(Connection& connection) {
  const uint64_t id = connection.id;
  // The handler may answer at once, which may close nothing here: closing happens in the flush.
  std::string input = std::exchange(connection.input, {});
  std::string_view rest = input;
  while (!rest.empty() && !connection.no_more && !Paused(connection)) {
    const size_t before = rest.size();
    const HttpRead result = connection.reader.Read(rest);
    if (result == HttpRead::kMore) {
      CountUnfinished(connection, connection.unfinished + before - rest.size());
      if (receiving_ > limits_.receiving) {
        ++counters_.overloaded;
        return Close(id);
      }
      if (connection.reader.TakeExpectContinue() && connection.pending.empty()) {
        connection.output.append("HTTP/1.1 100 Continue\r\n\r\n");
        MarkDirty(connection);
      }
      break;
    }
    if (result != HttpRead::kDone) {
      Refuse(connection, result);
      break;
    }
    HttpRequest request = connection.reader.Take();
    ++counters_.requests;
    CountUnfinished(connection, 0);
    const HttpExchange exchange =
        (id << kSequenceBits) | (connection.next_sequence++ & ((uint64_t{1} << kSequenceBits) - 1));
    connection.pending.push_back({exchange, request.http_1_0, request.keep_alive && !stopping_,
                                  request.method == "HEAD", std::nullopt});
    if (!connection.pending.back().keep_alive) connection.no_more = true;
    handler_(exchange, std::move(request), connection.peer);
    CHECK(connections_.contains(id));
  }
  if (!connection.no_more && !rest.empty()) connection.input.assign(rest);
  SetDeadline(connection);
  SetEvents(connection);
}

void HttpServer::CountUnfinished(Connection& connection, size_t bytes) {
  receiving_ += bytes - connection.unfinished;
  connection.unfinished = bytes;
}

void HttpServer::Refuse(Connection& connection, HttpRead why) {
  ++counters_.malformed;
  HttpResponse response;
  response.status = why == HttpRead::kBodyTooLarge ? 413 : why == HttpRead::kHeaderTooLarge ? 431 : 400;
  response.body = why == HttpRead::kBodyTooLarge
                      ? "the body is larger than " + std::to_string(kHttpBodyLimit) + " bytes\n"
                  : why == HttpRead::kHeaderTooLarge
                      ? "the header is larger than " + std::to_string(kHttpHeaderLimit) + " bytes\n"
                      : "this is not an HTTP request\n";
  Pending refused{0, false, false, false, std::string()};
  WriteHttpResponse(response, false, false, false, *refused.answer);
  connection.held += refused.answer->size();
  connection.pending.push_back(std::move(refused));
  connection.no_more = true;
  MarkDirty(connection);
}

void HttpServer::Reply(HttpExchange exchange, const HttpResponse& response) {
  const auto found = connections_.find(exchange >> kSequenceBits);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  for (Pending& pending : connection.pending) {
    if (pending.exchange != exchange || pending.answer) continue;
    const bool first = &pending == &connection.pending.front();
    if (first) {
      // The common case writes straight into the output.
      WriteHttpResponse(response, pending.http_1_0, pending.keep_alive, pending.head_only, connection.output);
      connection.pending.pop_front();
      ReleaseAnswers(connection);
      MarkDirty(connection);
    } else {
      WriteHttpResponse(response, pending.http_1_0, pending.keep_alive, pending.head_only,
                        pending.answer.emplace());
      connection.held += pending.answer->size();
    }
    return;
  }
}

// Answers at the front of the queue are free to go.
void HttpServer::ReleaseAnswers(Connection& connection) {
  while (!connection.pending.empty() && connection.pending.front().answer) {
    connection.held -= connection.pending.front().answer->size();
    connection.output.append(*connection.pending.front().answer);
    connection.pending.pop_front();
  }
}

void HttpServer::MarkDirty(Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty_.push_back(connection.id);
  flush_->Schedule();
}

void HttpServer::FlushDirty() {
  // Flushing may resume a paused connection, whose requests make it dirty again: those wait for the next
  // round of this loop, which ends because input is finite.
  while (!dirty_.empty()) {
    const std::vector<uint64_t> dirty = std::exchange(dirty_, {});
    for (const uint64_t id : dirty) {
      const auto found = connections_.find(id);
      if (found == connections_.end()) continue;
      found->second->dirty = false;
      Flush(*found->second);
    }
  }
}

void HttpServer::Flush(Connection& connection) {
  ReleaseAnswers(connection);
  while (connection.sent < connection.output.size()) {
    const ssize_t sent = ::send(connection.fd.get(), connection.output.data() + connection.sent,
                                connection.output.size() - connection.sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return Close(connection.id);
    }
    connection.sent += static_cast<size_t>(sent);
    counters_.bytes_out += static_cast<uint64_t>(sent);
  }
  if (connection.sent == connection.output.size()) {
    connection.sent = 0;
    if (connection.output.capacity() > kReadSize) {
      connection.output = std::string();
    } else {
      connection.output.clear();
    }
    if (connection.no_more && connection.pending.empty()) {
      // Unread bytes in the socket would turn close() into a reset that can overtake the answer.
      char probe;
      const ssize_t got = ::recv(connection.fd.get(), &probe, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got == 0 || (got < 0 && connection.reader.idle())) return Close(connection.id);
      if (::shutdown(connection.fd.get(), SHUT_WR) != 0) return Close(connection.id);
      connection.draining = true;
    }
  }
  if (!connection.draining && !connection.input.empty() && !connection.no_more && !Paused(connection)) {
    return Parse(connection);
  }
  SetDeadline(connection);
  SetEvents(connection);
}

void HttpServer::SetEvents(Connection& connection) {
  if (connection.dirty) return;  // the flush at the end of this iteration knows what is left to send
  uint32_t events = 0;
  if (connection.draining || (!connection.no_more && !Paused(connection))) events |= EPOLLIN;
  if (!connection.output.empty()) events |= EPOLLOUT;
  if (connection.watcher->events() != events) connection.watcher->SetEvents(events);
}

void HttpServer::SetDeadline(Connection& connection) {
  const bool receiving = !connection.reader.idle();
  if (connection.draining) {
    if (connection.deadline > loop_.now() + limits_.drain) connection.deadline = loop_.now() + limits_.drain;
  } else if (!connection.output.empty()) {
    connection.deadline = loop_.now() + limits_.stalled_output;
  } else if (!connection.pending.empty()) {
    connection.deadline = Instant::Never();  // ours to answer, and the node answers in bounded time
  } else if (receiving) {
    // From the first byte on; later bytes extend it only as far as a slow but honest sender needs.
    if (!connection.receiving) connection.request_began = loop_.now();
    connection.deadline = connection.request_began + limits_.request +
                          Seconds(static_cast<int64_t>(connection.unfinished / limits_.slow_bytes));
  } else {
    connection.deadline = loop_.now() + limits_.idle;
  }
  connection.receiving = receiving && connection.pending.empty() && connection.output.empty();
}

void HttpServer::Close(uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const std::unique_ptr<Connection> connection = std::move(found->second);
  connections_.erase(found);
  connection->watcher.reset();
  CountUnfinished(*connection, 0);
  for (const Pending& pending : connection->pending) {
    if (!pending.answer) gone_(pending.exchange);
  }
}

void HttpServer::Sweep() {
  std::vector<uint64_t> late;
  for (const auto& [id, connection] : connections_) {
    if (connection->deadline <= loop_.now()) late.push_back(id);
  }
  for (const uint64_t id : late) {
    ++counters_.timed_out;
    Close(id);
  }
  if (!connections_.empty()) sweep_timer_->Arm(loop_.now() + kSweepPeriod);
}

void HttpServer::StopAccepting() {
  stopping_ = true;
  acceptor_.reset();
  std::vector<uint64_t> idle;
  for (const auto& [id, connection] : connections_) {
    connection->no_more = true;
    if (connection->pending.empty() && connection->output.empty()) {
      idle.push_back(id);
    } else {
      MarkDirty(*connection);
    }
  }
  for (const uint64_t id : idle) Close(id);
}

}  // namespace bt::net
