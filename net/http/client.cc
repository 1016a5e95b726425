#include "net/http/client.h"

#include <absl/strings/str_cat.h>
#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::net {

namespace {

constexpr size_t kReadSize = 64 * 1024;

absl::Status Unavailable(const Address& server, std::string_view what) {
  return absl::UnavailableError(absl::StrCat(server.ToString(), ": ", std::string(what)));
}

}  // namespace

HttpClient::HttpClient(Loop& loop, const HttpClientLimits& limits)
    : loop_(loop),
      limits_(limits),
      buffer_(kReadSize),
      timer_(loop, [this] { OnTimer(); }),
      tell_later_(loop, [this] {
        for (const auto& tell : std::exchange(later_, {})) tell();
      }) {}

HttpClient::~HttpClient() = default;

uint64_t HttpClient::Send(const Address& server, const HttpRequest& request, Duration timeout, Done done) {
  const uint64_t id = next_id_++;
  Exchange exchange{id, {}, Loop::ReadClock() + timeout, std::move(done)};
  if (waiting_ >= limits_.waiting) {
    Finish(std::move(exchange),
           absl::ResourceExhaustedError("too many requests are waiting for the trackers"));
    return id;
  }
  WriteHttpRequest(request, server.ToString(), exchange.bytes);
  servers_[server].waiting.push_back(std::move(exchange));
  ++waiting_;
  Pump(server);
  ArmTimer();
  return id;
}

void HttpClient::Cancel(uint64_t request) {
  for (auto& [address, server] : servers_) {
    for (auto it = server.waiting.begin(); it != server.waiting.end(); ++it) {
      if (it->id != request) continue;
      server.waiting.erase(it);
      --waiting_;
      return;
    }
    for (const auto& connection : server.connections) {
      if (!connection->exchange || connection->exchange->id != request) continue;
      Remove(address, connection->id);
      Pump(Address(address));
      return;
    }
  }
}

// Gives waiting requests to free connections, old or new.
void HttpClient::Pump(const Address& address) {
  Server& server = servers_[address];
  while (!server.waiting.empty()) {
    Connection* free = nullptr;
    for (const auto& connection : server.connections) {
      if (!connection->exchange) free = connection.get();
    }
    if (free != nullptr && server.waiting.front().retried) {
      // It has met the end of an old connection once: the second try deserves a new one.
      Remove(address, free->id);
      free = nullptr;
    }
    if (free == nullptr) {
      if (server.connections.size() >= limits_.connections_per_server) return;
      absl::StatusOr<Fd> fd = StartConnect(address);
      if (!fd.ok()) {
        Exchange exchange = std::move(server.waiting.front());
        server.waiting.pop_front();
        --waiting_;
        Finish(std::move(exchange), fd.status());
        continue;
      }
      auto connection = std::make_unique<Connection>();
      connection->id = next_id_++;
      connection->fd = *std::move(fd);
      const uint64_t id = connection->id;
      connection->watcher =
          std::make_unique<Watcher>(loop_, connection->fd.get(), EPOLLOUT,
                                    [this, address, id](uint32_t events) { OnReady(address, id, events); });
      free = connection.get();
      server.connections.push_back(std::move(connection));
    }
    free->exchange = std::move(server.waiting.front());
    server.waiting.pop_front();
    --waiting_;
    free->sent = 0;
    free->watcher->SetEvents(EPOLLIN | EPOLLOUT);
  }
}

HttpClient::Connection* HttpClient::Find(const Address& address, uint64_t connection) {
  const auto server = servers_.find(address);
  if (server == servers_.end()) return nullptr;
  for (const auto& candidate : server->second.connections) {
    if (candidate->id == connection) return candidate.get();
  }
  return nullptr;
}

std::unique_ptr<HttpClient::Connection> HttpClient::Remove(const Address& address, uint64_t connection) {
  std::vector<std::unique_ptr<Connection>>& connections = servers_[address].connections;
  const auto found = std::find_if(connections.begin(), connections.end(),
                                  [&](const auto& candidate) { return candidate->id == connection; });
  CHECK(found != connections.end());
  std::unique_ptr<Connection> removed = std::move(*found);
  connections.erase(found);
  removed->watcher.reset();
  return removed;
}

void HttpClient::OnReady(const Address& address_of_closure, uint64_t id, uint32_t events) {
  const Address address = address_of_closure;  // the closure may be destroyed below
  Connection* connection = Find(address, id);
  if (connection == nullptr) return;
  if (!connection->connected) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    const absl::Status status = ConnectError(connection->fd.get(), address);
    if (!status.ok()) return Fail(address, id, status);
    connection->connected = true;
  }
  if (connection->exchange && connection->sent < connection->exchange->bytes.size()) {
    const std::string& bytes = connection->exchange->bytes;
    const ssize_t sent = ::send(connection->fd.get(), bytes.data() + connection->sent,
                                bytes.size() - connection->sent, MSG_NOSIGNAL);
    if (sent > 0) connection->sent += static_cast<size_t>(sent);
    // A server that has answered early and closed still has its answer read below.
    if (sent < 0 && errno != EAGAIN && errno != EINTR && (events & EPOLLIN) == 0) {
      return Fail(address, id, Unavailable(address, ErrnoText(errno)));
    }
    if (connection->sent == bytes.size()) connection->watcher->SetEvents(EPOLLIN);
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) return;
  const ssize_t got = ::recv(connection->fd.get(), buffer_.data(), buffer_.size(), 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return Fail(address, id, Unavailable(address, ErrnoText(errno)));
  }
  if (!connection->exchange) {  // closed by the server, or speaking unasked
    Remove(address, id);
    return Pump(address);
  }
  if (got == 0) {
    if (connection->reader.End() == HttpRead::kDone) return Complete(address, *connection);
    return Fail(address, id, Unavailable(address, "closed the connection before it answered"));
  }
  std::string_view bytes(buffer_.data(), static_cast<size_t>(got));
  const HttpRead result = connection->reader.Read(bytes);
  if (result == HttpRead::kMore) return;
  if (result != HttpRead::kDone) {
    connection->used_before = false;  // no second try: it would answer the same
    return Fail(address, id,
                Unavailable(address, "did not answer in HTTP; is this a tracker's client port?"));
  }
  Complete(address, *connection);
}

void HttpClient::Complete(const Address& address, Connection& connection) {
  HttpResponse response = connection.reader.Take();
  Exchange exchange = *std::exchange(connection.exchange, std::nullopt);
  if (response.keep_alive && connection.sent == exchange.bytes.size()) {
    connection.used_before = true;
    connection.idle_since = loop_.now();
    connection.watcher->SetEvents(EPOLLIN);
  } else {
    Remove(address, connection.id);
  }
  Pump(address);
  ArmTimer();
  exchange.done(std::move(response));
}

void HttpClient::Fail(const Address& address, uint64_t id, absl::Status why) {
  const std::unique_ptr<Connection> connection = Remove(address, id);
  if (connection->exchange) {
    Exchange exchange = std::move(*connection->exchange);
    if (connection->used_before && connection->reader.idle() && !exchange.retried) {
      exchange.retried = true;
      servers_[address].waiting.push_front(std::move(exchange));
      ++waiting_;
    } else {
      Finish(std::move(exchange), std::move(why));
    }
  }
  Pump(address);
}

void HttpClient::Finish(Exchange exchange, absl::StatusOr<HttpResponse> result) {
  later_.push_back([done = std::move(exchange.done), result = std::move(result)] { done(result); });
  tell_later_.Schedule();
}

void HttpClient::ArmTimer() {
  Instant next = Instant::Never();
  for (const auto& [address, server] : servers_) {
    for (const Exchange& exchange : server.waiting) next = std::min(next, exchange.deadline);
    for (const auto& connection : server.connections) {
      next = std::min(next, connection->exchange ? connection->exchange->deadline
                                                 : connection->idle_since + limits_.idle);
    }
  }
  timer_.Arm(next);
}

void HttpClient::OnTimer() {
  const Instant now = loop_.now();
  for (auto& [address, server] : servers_) {
    for (auto it = server.waiting.begin(); it != server.waiting.end();) {
      if (it->deadline > now) {
        ++it;
        continue;
      }
      --waiting_;
      Finish(std::move(*it),
             absl::DeadlineExceededError(absl::StrCat(address.ToString(), ": no answer in time")));
      it = server.waiting.erase(it);
    }
    std::vector<uint64_t> late;
    for (const auto& connection : server.connections) {
      const Instant end =
          connection->exchange ? connection->exchange->deadline : connection->idle_since + limits_.idle;
      if (end <= now) late.push_back(connection->id);
    }
    for (const uint64_t id : late) {
      std::unique_ptr<Connection> connection = Remove(address, id);
      if (!connection->exchange) continue;
      Finish(std::move(*connection->exchange),
             absl::DeadlineExceededError(absl::StrCat(address.ToString(), ": no answer in time")));
    }
    if (!late.empty()) Pump(address);
  }
  ArmTimer();
}

}  // namespace bt::net
