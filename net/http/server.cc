#include "net/http/server.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace bt::net {

namespace {

constexpr size_t kReadSize = 64 * 1024;
// What a client may say while it waits for its turn. Its request is read at once: to tell epoll not to report
// it, and to report it again at its turn, would be two system calls more for each request.
constexpr size_t kReadAhead = 4 * 1024;
// Answers up to this size are copied behind each other, longer ones go out as they are.
constexpr size_t kCopiedAnswerMax = 16 * 1024;
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
      buffer_(kReadSize),
      drop_unread_(loop, [this] { DropUnread(); }),
      next_turns_(loop, [this] { TakeTurns(); }) {
  CHECK(limits_.pipelined < (size_t{1} << kSequenceBits));
  acceptor_.emplace(loop_, std::move(listener),
                    [this](Fd fd, const Address& peer) { Take(std::move(fd), peer); });
}

HttpServer::~HttpServer() = default;

bool HttpServer::Displace(std::optional<uint64_t> client) {
  if (!client) return false;
  ++counters_.displaced;
  Remove(*client);
  return true;
}

void HttpServer::Take(Fd fd, const Address& peer) {
  const Group group = GroupOf(peer);
  const bool over_share = crowd_.Of(group) >= limits_.connections_per_address;
  const bool full = clients_.size() >= limits_.connections;
  if ((over_share || full) && !Displace(over_share ? crowd_.GivesWayOf(group) : crowd_.GivesWay())) {
    ++counters_.refused;
    return;
  }
  crowd_.Join(group);
  connections_.Change(0, 1);
  most_of_address_.Note(crowd_.Of(group));
  ++counters_.accepted;
  auto client = std::make_unique<Client>();
  client->id = next_client_++;
  client->connection = std::make_unique<Connection>(
      loop_, limits_.connection, counters_, peer, Accepted{std::move(fd), nullptr},
      [this, client = client.get()](ConnectionEvent event) { OnEvent(*client, event); });
  Client& taken = *client;
  clients_.emplace(taken.id, std::move(client));
  SetDeadline(taken);
}

void HttpServer::OnEvent(Client& client, ConnectionEvent event) {
  switch (event) {
    case ConnectionEvent::kUp:
      return;
    case ConnectionEvent::kReadable:
      return OnReadable(client);
    case ConnectionEvent::kFlushed:
      return OnFlushed(client);
    case ConnectionEvent::kDown:
      if (client.connection->reason() == DownReason::kTimedOut) ++counters_.timed_out;
      return Remove(client.id);
  }
}

void HttpServer::OnFlushed(Client& client) {
  const bool more = !client.pending.empty() && client.pending.front().rest > 0;
  const HttpExchange exchange = more ? client.pending.front().exchange : 0;
  CountUnsent(client);
  HasInput(client) ? TakeUp(client) : GoOn(client);  // what had to wait for room
  if (more) more_(exchange);                         // last: who is told may close the connection
}

// There is something to read: now, or when it is the client's turn.
void HttpServer::OnReadable(Client& client) {
  BeginIteration();
  if (!MustWait()) return Go(client, until_);
  const IoResult got = client.connection->Read(buffer_.data(), kReadAhead);
  client.input.append(buffer_.data(), got.bytes);
  // Its end is told again at its turn.
  client.reads_ahead = got.state == IoResult::State::kDone && client.input.size() < kReadAhead;
  CountWaiting(client);
  if (!HasRoomFor(client)) return;
  WaitForTurn(client);
  GoOn(client);
}

// There is something that was read before: now, or when it is the client's turn.
void HttpServer::TakeUp(Client& client) {
  BeginIteration();
  if (!MustWait()) return Go(client, until_);
  WaitForTurn(client);
  GoOn(client);
}

void HttpServer::Go(Client& client, Instant until) {
  client.reads_ahead = false;
  client.input.empty() ? Read(client, until) : Parse(client, {}, until);
}

void HttpServer::Read(Client& client, Instant until) {
  taken_up_ = true;
  const IoResult got = client.connection->Read(buffer_.data(), buffer_.size());
  if (got.state == IoResult::State::kDone) return Parse(client, {buffer_.data(), got.bytes}, until);
  if (got.state != IoResult::State::kEnd) return GoOn(client);
  // The sender may have shut its half only: what it asked is answered first.
  if (client.pending.empty() && client.connection->flushed()) return Remove(client.id);
  client.no_more = true;
  GoOn(client);
}

bool HttpServer::Paused(const Client& client) const {
  return client.pending.size() >= limits_.pipelined ||
         client.connection->queued_bytes() + client.held >= limits_.output;
}

bool HttpServer::HasInput(const Client& client) const {
  return !client.input.empty() && !client.no_more && !Paused(client);
}

void HttpServer::BeginIteration() {
  if (iteration_ == loop_.now()) return;
  iteration_ = loop_.now();
  until_ = Loop::ReadClock() + limits_.iteration;
  taken_up_ = false;
}

bool HttpServer::MustWait() const { return !turns_.empty() || (taken_up_ && Loop::ReadClock() >= until_); }

// Takes up what was left when reading was paused, and `bytes` after it.
void HttpServer::Parse(Client& client, std::string_view bytes, Instant until) {
  const uint64_t id = client.id;
  std::string waiting = std::exchange(client.input, {});
  if (!waiting.empty()) bytes = waiting.append(bytes);
  bool in_time = true;
  while (in_time && !bytes.empty() && !client.no_more && !Paused(client)) {
    taken_up_ = true;
    if (!ParseOne(client, bytes)) break;
    // The handler may answer at once, but an answer removes nothing before the end of the iteration.
    CHECK(clients_.contains(id));
    in_time = Loop::ReadClock() < until;
  }
  if (!client.no_more) client.input.assign(bytes);
  CountWaiting(client);
  if (!HasRoomFor(client)) return;
  if (HasInput(client)) WaitForTurn(client);
  GoOn(client);
}

// False when the client had to go itself.
bool HttpServer::HasRoomFor(const Client& client) {
  const uint64_t id = client.id;
  while (receiving_.now() > limits_.receiving) {
    ++counters_.overloaded;
    const uint64_t dropped = WhoseRequestIsDropped(client);
    Remove(dropped);
    if (dropped == id) return false;
  }
  return true;
}

void HttpServer::WaitForTurn(Client& client) {
  ++counters_.deferred;
  turns_.Wait(GroupOf(client.connection->peer()), client.id, client.turn);
  ArmTurns();
}

void HttpServer::ArmTurns() {
  // Later than now, or it would be in this iteration still.
  if (!next_turns_.armed()) next_turns_.Arm(loop_.now() + Nanoseconds(1));
}

void HttpServer::TakeTurns() {
  BeginIteration();
  bool in_time = true;
  while (in_time && !turns_.empty()) {
    Client& client = *clients_.at(turns_.Next());
    turns_.Leave(GroupOf(client.connection->peer()), client.turn);
    const Instant until = std::min(until_, Loop::ReadClock() + limits_.turn);
    Go(client, until);
    in_time = Loop::ReadClock() < until_;
  }
  if (!turns_.empty()) ArmTurns();
}

// One request; false when there is no whole one.
bool HttpServer::ParseOne(Client& client, std::string_view& rest) {
  const size_t before = rest.size();
  const HttpRead result = client.reader.Read(rest);
  if (result == HttpRead::kMore) {
    CountUnfinished(client, client.unfinished + before - rest.size());
    if (client.reader.TakeExpectContinue() && client.pending.empty()) {
      client.connection->Write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return false;
  }
  if (result != HttpRead::kDone) {
    Refuse(client, result);
    return false;
  }
  HttpRequest request = client.reader.Take();
  ++counters_.requests;
  CountUnfinished(client, 0);
  const HttpExchange exchange =
      (client.id << kSequenceBits) | (client.next_sequence++ & ((uint64_t{1} << kSequenceBits) - 1));
  const bool keep_alive = request.keep_alive && !stopping_;
  client.pending.push_back({exchange, request.http_1_0, keep_alive, request.method == "HEAD", std::nullopt});
  client.no_more = !keep_alive;
  most_pipelined_.Note(client.pending.size());
  handler_(exchange, std::move(request), client.connection->peer());
  return true;
}

void HttpServer::CountUnfinished(Client& client, size_t bytes) {
  receiving_.Change(client.unfinished, bytes);
  client.unfinished = bytes;
}

void HttpServer::CountWaiting(Client& client) {
  receiving_.Change(client.waiting, client.input.size());
  client.waiting = client.input.size();
}

// The client that has just received, if its address has most of the unfinished bytes, else the newest client
// of the address that has: nobody loses to another what is within its own share. Walks over all connections,
// which a sender pays for with a read of bytes that the server then drops.
uint64_t HttpServer::WhoseRequestIsDropped(const Client& receiving) const {
  absl::flat_hash_map<Group, size_t> bytes;
  Group most = GroupOf(receiving.connection->peer());
  for (const auto& [id, client] : clients_) {
    const size_t held = client->unfinished + client->waiting;
    if (held > 0) bytes[GroupOf(client->connection->peer())] += held;
  }
  if (!bytes.contains(most)) bytes[most] = 0;
  for (const auto& [group, sum] : bytes) {
    if (sum > bytes[most]) most = group;
  }
  const auto holds = [](const Client& client) { return client.unfinished + client.waiting > 0; };
  if (holds(receiving) && GroupOf(receiving.connection->peer()) == most) return receiving.id;
  uint64_t newest = 0;
  for (const auto& [id, client] : clients_) {
    if (holds(*client) && GroupOf(client->connection->peer()) == most) newest = std::max(newest, id);
  }
  return newest;
}

void HttpServer::CountUnsent(Client& client) {
  const size_t unsent = client.connection->queued_bytes() + client.held;
  unsent_.Change(client.unsent, unsent);
  client.unsent = unsent;
  most_output_.Note(unsent);
  unread_.Set(unsent > 0, client.id, client.unread);
  // Later, because the call may come from within a call about the client that has to go.
  if (unsent_.now() > limits_.unsent) drop_unread_.Schedule();
}

// Of the address with most of these bytes, the client whose answers have waited longest: nobody loses to
// another what is within its own share.
void HttpServer::DropUnread() {
  struct Unread {
    size_t bytes = 0;
    std::deque<uint64_t> clients;  // oldest first; at most one for each client
  };
  absl::flat_hash_map<Group, Unread> unread;
  for (auto oldest = unread_.oldest_first().begin(); oldest != unread_.oldest_first().end();) {
    Client& client = *clients_.at(*oldest++);
    CountUnsent(client);  // some of it may have been taken meanwhile
    if (client.unsent == 0) continue;
    Unread& of_group = unread[GroupOf(client.connection->peer())];
    of_group.bytes += client.unsent;
    of_group.clients.push_back(client.id);
  }
  while (unsent_.now() > limits_.unsent && !unread.empty()) {
    Unread& most = std::max_element(unread.begin(), unread.end(), [](const auto& one, const auto& other) {
                     return one.second.bytes < other.second.bytes;
                   })->second;
    const uint64_t oldest = most.clients.front();
    most.clients.pop_front();
    most.bytes -= clients_.at(oldest)->unsent;
    ++counters_.unread;
    Remove(oldest);
  }
}

void HttpServer::Refuse(Client& client, HttpRead why) {
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
  client.held += refused.answer->size();
  client.pending.push_back(std::move(refused));
  client.no_more = true;
  ReleaseAnswers(client);
}

void HttpServer::Reply(HttpExchange exchange, const HttpResponse& response) {
  const auto found = clients_.find(exchange >> kSequenceBits);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  for (Pending& pending : client.pending) {
    if (pending.exchange != exchange || pending.answer) continue;
    if (!pending.head_only) pending.rest = response.body_in_parts;
    if (&pending != &client.pending.front()) {
      WriteHttpResponse(response, pending.http_1_0, pending.keep_alive, pending.head_only,
                        pending.answer.emplace());
      client.held += pending.answer->size();
      return CountUnsent(client);
    }
    answer_.clear();
    WriteHttpResponse(response, pending.http_1_0, pending.keep_alive, pending.head_only, answer_);
    Send(client, answer_);
    pending.answer.emplace();
    ReleaseAnswers(client);
    return GoOn(client);
  }
}

void HttpServer::ReplyPart(HttpExchange exchange, FileRange part) {
  const auto found = clients_.find(exchange >> kSequenceBits);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  CHECK(!client.pending.empty());
  Pending& pending = client.pending.front();
  CHECK(pending.exchange == exchange && pending.rest >= part.length);
  pending.rest -= part.length;
  client.connection->Write(std::move(part));
  ReleaseAnswers(client);
  GoOn(client);
}

void HttpServer::Abort(HttpExchange exchange) { Remove(exchange >> kSequenceBits); }

void HttpServer::Send(Client& client, std::string& answer) {
  if (answer.size() <= kCopiedAnswerMax) {
    client.connection->Write(answer);
  } else {
    client.connection->Write(Slice::Own(std::exchange(answer, {})));
  }
}

// Answers at the front of the queue are free to go; behind one whose body comes in parts the others wait.
void HttpServer::ReleaseAnswers(Client& client) {
  while (!client.pending.empty() && client.pending.front().answer) {
    Pending& front = client.pending.front();
    client.held -= front.answer->size();
    if (!front.answer->empty()) Send(client, *front.answer);
    front.answer->clear();
    if (front.rest > 0) return;
    client.pending.pop_front();
  }
}

// Sets what the connection waits for from here on.
void HttpServer::GoOn(Client& client) {
  CountUnsent(client);
  if (client.no_more && client.pending.empty()) {
    // After an incomplete request more of it may be under way; after a whole one nothing is to be expected.
    client.connection->Finish(client.reader.idle() ? Connection::Drain::kIfUnread
                                                   : Connection::Drain::kAlways);
    return;
  }
  const bool waits = client.turn && !client.reads_ahead;
  client.connection->SetReading(!client.no_more && !waits && !Paused(client));
  SetDeadline(client);
}

void HttpServer::SetDeadline(Client& client) {
  const bool receiving = !client.reader.idle() && client.pending.empty() && client.connection->flushed();
  Instant deadline = Instant::Never();
  if (receiving) {
    // From the first byte on; later bytes extend it only as far as a slow but honest sender needs.
    const Instant latest = loop_.now() + limits_.request;
    if (client.receiving) {
      const size_t fresh = client.unfinished - client.paid;
      const auto worth = Microseconds(static_cast<int64_t>(fresh * 1'000'000 / limits_.slow_bytes));
      client.request_deadline = std::min(latest, client.request_deadline + worth);
    } else {
      client.request_deadline = latest;
    }
    client.paid = client.unfinished;
    deadline = client.request_deadline;
  } else if (!client.turn && client.pending.empty() && client.connection->flushed()) {
    deadline = loop_.now() + limits_.idle;
  }
  // Otherwise it is ours to answer, which the node does in bounded time, or the connection's own deadline
  // watches over an answer that is being taken.
  client.receiving = receiving;
  crowd_.SetIdle(GroupOf(client.connection->peer()), client.id, !receiving && deadline != Instant::Never(),
                 client.idle);
  client.connection->SetDeadline(deadline);
}

void HttpServer::Remove(uint64_t id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  const std::unique_ptr<Client> client = std::move(found->second);
  clients_.erase(found);
  CountUnfinished(*client, 0);
  receiving_.Change(client->waiting, 0);
  turns_.Leave(GroupOf(client->connection->peer()), client->turn);
  unsent_.Change(client->unsent, 0);
  connections_.Change(1, 0);
  crowd_.Leave(GroupOf(client->connection->peer()), client->idle);
  unread_.Set(false, id, client->unread);
  for (const Pending& pending : client->pending) {
    if (!pending.answer || pending.rest > 0) gone_(pending.exchange);
  }
}

void HttpServer::StopAccepting() {
  stopping_ = true;
  acceptor_.reset();
  std::vector<uint64_t> idle;
  for (const auto& [id, client] : clients_) {
    client->no_more = true;
    if (client->pending.empty() && client->connection->flushed()) {
      idle.push_back(id);
    } else {
      GoOn(*client);
    }
  }
  for (const uint64_t id : idle) Remove(id);
}

}  // namespace bt::net
