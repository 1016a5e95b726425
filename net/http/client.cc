#include "net/http/client.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::net {

namespace {

constexpr size_t kReadSize = 64 * 1024;

absl::Status Unavailable(const Address& server, std::string_view what) {
  return absl::UnavailableError(absl::StrCat(server.ToString(), ": ", std::string(what)));
}

absl::Status NoAnswerInTime(const Address& server) {
  return absl::DeadlineExceededError(absl::StrCat(server.ToString(), ": no answer in time"));
}

}  // namespace

HttpClient::HttpClient(Loop& loop, const HttpClientLimits& limits)
    : loop_(loop), limits_(limits), buffer_(kReadSize), timer_(loop, [this] { OnTimer(); }), later_(loop) {}

HttpClient::~HttpClient() = default;

uint64_t HttpClient::Send(const Address& server, const HttpRequest& request, Duration timeout, Done done) {
  const uint64_t id = next_id_++;
  Exchange exchange{id, {}, Loop::ReadClock() + timeout, std::move(done)};
  if (waiting_ >= limits_.waiting) {
    Finish(std::move(exchange),
           absl::ResourceExhaustedError("too many requests are waiting for the trackers"));
    return id;
  }
  std::string bytes;
  WriteHttpRequest(request, server.ToString(), bytes);
  exchange.bytes = Slice::Own(std::move(bytes));
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
    for (const auto& pooled : server.pool) {
      if (!pooled->exchange || pooled->exchange->id != request) continue;
      Remove(address, pooled->id);
      Pump(Address(address));
      return;
    }
  }
}

// Gives waiting requests to free connections, old or new. Of a server that nothing waits for and nothing is
// connected to nothing is kept: a name may stand for other addresses each time that it is looked up.
void HttpClient::Pump(const Address& address) {
  const auto found = servers_.find(address);
  if (found == servers_.end()) return;
  Server& server = found->second;
  if (server.waiting.empty() && server.pool.empty()) {
    servers_.erase(found);
    return;
  }
  while (!server.waiting.empty()) {
    Pooled* free = FreeConnection(address, server.waiting.front().retried);
    if (free == nullptr) return;
    free->exchange = std::move(server.waiting.front());
    server.waiting.pop_front();
    --waiting_;
    free->connection->SetDeadline(free->exchange->deadline);
    free->connection->Write(free->exchange->bytes);
  }
}

// nullptr when all are busy. A request that has met the end of an old connection once deserves a new one.
HttpClient::Pooled* HttpClient::FreeConnection(const Address& address, bool must_be_new) {
  Server& server = servers_[address];
  const auto free = std::find_if(server.pool.rbegin(), server.pool.rend(),
                                 [](const auto& pooled) { return !pooled->exchange.has_value(); });
  if (free != server.pool.rend()) {
    if (!must_be_new) return free->get();
    Remove(address, (*free)->id);
  }
  if (server.pool.size() >= limits_.connections_per_server) return nullptr;
  auto pooled = std::make_unique<Pooled>();
  const uint64_t id = pooled->id = next_id_++;
  pooled->connection = std::make_unique<Connection>(
      loop_, limits_.connection, counters_, address,
      [this, address, id](ConnectionEvent event) { OnEvent(address, id, event); });
  return server.pool.emplace_back(std::move(pooled)).get();
}

HttpClient::Pooled* HttpClient::Find(const Address& address, uint64_t id) {
  for (const auto& pooled : servers_[address].pool) {
    if (pooled->id == id) return pooled.get();
  }
  return nullptr;
}

std::unique_ptr<HttpClient::Pooled> HttpClient::Remove(const Address& address, uint64_t id) {
  std::vector<std::unique_ptr<Pooled>>& pool = servers_[address].pool;
  const auto found =
      std::find_if(pool.begin(), pool.end(), [id](const auto& pooled) { return pooled->id == id; });
  CHECK(found != pool.end());
  std::unique_ptr<Pooled> removed = std::move(*found);
  pool.erase(found);
  return removed;
}

void HttpClient::OnEvent(const Address& address, uint64_t id, ConnectionEvent event) {
  Pooled& pooled = *Find(address, id);
  if (event == ConnectionEvent::kReadable) return Read(address, pooled);
  if (event == ConnectionEvent::kDown) return OnDown(address, pooled);
}

void HttpClient::Read(const Address& address, Pooled& pooled) {
  const IoResult got = pooled.connection->Read(buffer_.data(), buffer_.size());
  if (got.state == IoResult::State::kBlocked || got.state == IoResult::State::kBroken) return;
  if (!pooled.exchange) {  // closed by the server, or speaking unasked
    Remove(address, pooled.id);
    return Pump(address);
  }
  if (got.state == IoResult::State::kEnd) {
    if (pooled.reader.End() == HttpRead::kDone) return Complete(address, pooled);
    return Fail(address, pooled.id, Unavailable(address, "closed the connection before it answered"));
  }
  std::string_view bytes(buffer_.data(), got.bytes);
  const HttpRead result = pooled.reader.Read(bytes);
  if (result == HttpRead::kMore) return;
  if (result == HttpRead::kDone) return Complete(address, pooled);
  pooled.used_before = false;  // no second try: it would answer the same
  if (result == HttpRead::kBodyTooLarge) {
    return Fail(address, pooled.id,
                Unavailable(address, absl::StrCat("its answer is longer than ", kHttpBodyLimit, " bytes")));
  }
  Fail(address, pooled.id, Unavailable(address, "did not answer in HTTP; is this a tracker's client port?"));
}

void HttpClient::OnDown(const Address& address, Pooled& pooled) {
  const Connection& connection = *pooled.connection;
  if (connection.reason() == DownReason::kTimedOut) {
    pooled.used_before = false;  // no second try: its time is over
    return Fail(address, pooled.id, NoAnswerInTime(address));
  }
  Fail(address, pooled.id,
       connection.reason() == DownReason::kNotConnected ? absl::UnavailableError(connection.why())
                                                        : Unavailable(address, connection.why()));
}

void HttpClient::Complete(const Address& address, Pooled& pooled) {
  HttpResponse response = pooled.reader.Take();
  Exchange exchange = *std::exchange(pooled.exchange, std::nullopt);
  if (response.keep_alive && pooled.connection->flushed()) {
    pooled.used_before = true;
    pooled.connection->SetDeadline(loop_.now() + limits_.idle);
  } else {
    Remove(address, pooled.id);
  }
  Pump(address);
  ArmTimer();
  exchange.done(std::move(response));
}

void HttpClient::Fail(const Address& address, uint64_t id, absl::Status why) {
  const std::unique_ptr<Pooled> pooled = Remove(address, id);
  if (pooled->exchange) {
    Exchange exchange = std::move(*pooled->exchange);
    if (pooled->used_before && pooled->reader.idle() && !exchange.retried) {
      exchange.retried = true;
      servers_[address].waiting.push_front(std::move(exchange));
      ++waiting_;
    } else {
      Finish(std::move(exchange), std::move(why));
    }
  }
  Pump(address);
  ArmTimer();
}

void HttpClient::Finish(Exchange exchange, absl::StatusOr<HttpResponse> result) {
  later_.Tell(
      [done = std::move(exchange.done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void HttpClient::ArmTimer() {
  Instant next = Instant::Never();
  for (const auto& [address, server] : servers_) {
    for (const Exchange& exchange : server.waiting) next = std::min(next, exchange.deadline);
  }
  timer_.Arm(next);
}

void HttpClient::OnTimer() {
  for (auto& [address, server] : servers_) {
    for (auto it = server.waiting.begin(); it != server.waiting.end();) {
      if (it->deadline > loop_.now()) {
        ++it;
        continue;
      }
      --waiting_;
      Finish(std::move(*it), NoAnswerInTime(address));
      it = server.waiting.erase(it);
    }
  }
  ArmTimer();
}

}  // namespace bt::net
