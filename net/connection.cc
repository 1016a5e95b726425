#include "net/connection.h"

#include <absl/strings/str_cat.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "net/socket.h"

namespace bt::net {

using IoState = IoResult::State;

Connection::Connection(Begun, Loop& loop, const ConnectionOptions& options, ConnectionCounters& counters,
                       const Address& peer, Tell tell)
    : loop_(loop),
      options_(options),
      counters_(counters),
      peer_(peer),
      tell_(std::make_shared<Tell>(std::move(tell))),
      progress_(loop.now()),
      timer_(loop, [this] { OnTimer(); }),
      end_of_iteration_(loop, [this] { OnEndOfIteration(); }) {}

Connection::Connection(Loop& loop, const ConnectionOptions& options, ConnectionCounters& counters,
                       const Address& peer, Tell tell)
    : Connection(Begun(), loop, options, counters, peer, std::move(tell)) {
  absl::StatusOr<Fd> fd = StartConnect(peer);
  if (fd.ok()) {
    Attach(*std::move(fd), MakeFilterOf(FilterSide::kConnects), State::kConnecting);
  } else {
    CloseLater(DownReason::kNotConnected, std::string(fd.status().message()));
  }
}

Connection::Connection(Loop& loop, const ConnectionOptions& options, ConnectionCounters& counters,
                       const Address& peer, Accepted accepted, Tell tell)
    : Connection(Begun(), loop, options, counters, peer, std::move(tell)) {
  if (accepted.filter == nullptr) accepted.filter = MakeFilterOf(FilterSide::kAccepts);
  Attach(std::move(accepted.fd), std::move(accepted.filter), State::kHandshake);
  if (!transport_->established()) return;
  state_ = State::kUp;
  end_of_iteration_.Schedule();  // kUp is due
}

Connection::~Connection() {
  if (gone_ != nullptr) *gone_ = true;
}

std::unique_ptr<Filter> Connection::MakeFilterOf(FilterSide side) const {
  return options_.make_filter ? options_.make_filter(side, peer_) : nullptr;
}

void Connection::Attach(Fd fd, std::unique_ptr<Filter> filter, State state) {
  if (options_.notice_vanished_peer) NoticeVanishedPeer(fd.get());
  if (options_.unsent_bytes_max > 0) KeepUnsentShort(fd.get(), options_.unsent_bytes_max);
  state_ = state;
  transport_.emplace(std::move(fd), std::move(filter));
  watcher_.emplace(loop_, transport_->fd(), state == State::kConnecting ? EPOLLOUT : EPOLLIN,
                   [this](uint32_t events) { OnReady(events); });
  Rearm();
}

// Tells, and says whether this connection is still there.
bool Connection::Told(ConnectionEvent event) {
  bool gone = false;
  gone_ = &gone;
  const std::shared_ptr<Tell> tell = tell_;  // outlives a connection that is destroyed in it
  (*tell)(event);
  if (gone) return false;
  gone_ = nullptr;
  return true;
}

void Connection::OnReady(uint32_t events) {
  if (state_ == State::kConnecting) return OnConnected();
  if (state_ == State::kHandshake) return Shake();
  if (state_ == State::kDraining) return Discard();
  if ((events & EPOLLOUT) != 0) {
    blocked_ = false;
    end_of_iteration_.Schedule();
  }
  const bool over = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (state_ == State::kUp && reading_) {
    if (over || (events & EPOLLIN) != 0) Told(ConnectionEvent::kReadable);
  } else if (over) {
    // Broken while not being read: epoll goes on reporting it whatever events were asked for.
    Fail(DownReason::kBroken, "the connection broke");
  }
}

void Connection::OnConnected() {
  const absl::Status status = ConnectError(transport_->fd(), peer_);
  if (!status.ok()) return Fail(DownReason::kNotConnected, std::string(status.message()));
  state_ = State::kHandshake;
  Shake();
}

void Connection::Shake() {
  const IoResult result = transport_->Shake();
  if (result.state == IoState::kBroken || result.state == IoState::kEnd) {
    broken_off_ = true;
    refused_ = transport_->refused();
    return Fail(DownReason::kNotConnected,
                absl::StrCat("no connection with ", peer_.ToString(), ": ", transport_->error()));
  }
  if (!transport_->established()) return UpdateEvents();
  state_ = State::kUp;
  progress_ = loop_.now();
  end_of_iteration_.Schedule();  // what the filter has read beyond its handshake, and what is queued
  up_told_ = true;
  Told(ConnectionEvent::kUp);
}

void Connection::OnEndOfIteration() {
  if (state_ == State::kDown) {
    Told(ConnectionEvent::kDown);
    return;
  }
  if (state_ == State::kConnecting || state_ == State::kHandshake || state_ == State::kDraining) return;
  if (!up_told_) {
    up_told_ = true;
    if (!Told(ConnectionEvent::kUp)) return;
  }
  // Bytes in the filter make no descriptor readable.
  if (state_ == State::kUp && reading_ && transport_->has_plain()) {
    if (!Told(ConnectionEvent::kReadable)) return;
    if (state_ == State::kUp && reading_ && transport_->has_plain()) end_of_iteration_.Schedule();
  }
  if (state_ == State::kUp || state_ == State::kFinishing) Flush();
}

bool Connection::Takes() const {
  return !output_broken_ &&
         (state_ == State::kConnecting || state_ == State::kHandshake || state_ == State::kUp);
}

void Connection::Write(std::string_view bytes) {
  if (!Takes()) return;
  const bool was_empty = queue_.empty();
  queue_.Push(bytes);
  Pushed(was_empty);
}

void Connection::Write(Slice bytes) {
  if (!Takes()) return;
  const bool was_empty = queue_.empty();
  queue_.Push(std::move(bytes));
  Pushed(was_empty);
}

void Connection::Write(FileRange range) {
  if (!Takes()) return;
  const bool was_empty = queue_.empty();
  queue_.Push(std::move(range));
  Pushed(was_empty);
}

void Connection::Pushed(bool was_empty) {
  if (queue_.bytes() > options_.queued_bytes_max || queue_.items() > options_.queued_items_max) {
    return CloseLater(DownReason::kOverflow, "the peer takes our bytes too slowly: send queue full");
  }
  unflushed_ = true;
  if (state_ != State::kUp) return;
  if (was_empty) {
    progress_ = loop_.now();
    left_.reset();
    Rearm();
  }
  if (!blocked_) end_of_iteration_.Schedule();
}

bool Connection::WritesWait() const { return !queue_.empty() || transport_->has_encoded(); }

void Connection::Flush() {
  if (!blocked_ && transport_->has_encoded()) {
    const IoResult result = transport_->Flush();
    if (result.state == IoState::kBroken) return OutputBroke();
    blocked_ = result.state == IoState::kBlocked;
  }
  const uint64_t stop_at = sent_ + options_.write_bytes_per_wake;
  while (!blocked_ && !queue_.empty() && sent_ < stop_at) {
    const IoResult result = queue_.SendTo(*transport_);
    if (result.state == IoState::kBroken) return OutputBroke();
    if (result.state == IoState::kUnreadable) {
      unreadable_ = queue_.front_file();
      return Fail(DownReason::kUnreadable, transport_->error());
    }
    blocked_ = result.state == IoState::kBlocked;
    if (result.bytes == 0) continue;
    ++counters_.writes;
    counters_.sent_bytes += result.bytes;
    sent_ += result.bytes;
    progress_ = loop_.now();
    left_.reset();
  }
  // Past its share without filling the socket: epoll will say at once that it is writable.
  blocked_ = WritesWait();
  if (!blocked_ && state_ == State::kFinishing) return EndOutput();
  UpdateEvents();
  if (blocked_) return Rearm();
  if (std::exchange(unflushed_, false)) Told(ConnectionEvent::kFlushed);
}

// What the peer has said before it went, such as an early answer, is still to be read; its end comes after.
void Connection::OutputBroke() {
  if (state_ != State::kUp || !reading_) return Fail(DownReason::kBroken, transport_->error());
  output_broken_ = true;
  blocked_ = false;
  queue_.Clear();
  UpdateEvents();
}

void Connection::Finish(Drain drain) {
  if (state_ == State::kConnecting || state_ == State::kHandshake) {
    return CloseLater(DownReason::kFinished, "closed before it was up");
  }
  if (state_ != State::kUp) return;
  state_ = State::kFinishing;
  drain_ = drain;
  progress_ = loop_.now();
  left_.reset();
  if (!blocked_) end_of_iteration_.Schedule();
  UpdateEvents();
  Rearm();
}

void Connection::EndOutput() {
  const IoResult result = transport_->End();
  if (result.state == IoState::kBroken) return Fail(DownReason::kFinished, "");
  if (result.state == IoState::kBlocked) {
    blocked_ = true;
    return UpdateEvents();  // comes here again when that is written, and ends nothing twice
  }
  const bool wait = drain_ == Drain::kAlways || transport_->HasUnread();
  if (!wait || shutdown(transport_->fd(), SHUT_WR) != 0) return Fail(DownReason::kFinished, "");
  state_ = State::kDraining;
  progress_ = loop_.now();
  left_.reset();
  UpdateEvents();
  Rearm();
}

// Bytes of the peer after Finish go unread, past a filter too: it has said its end already.
void Connection::Discard() {
  std::array<char, 16 * 1024> scrap;
  const ssize_t got = recv(transport_->fd(), scrap.data(), scrap.size(), 0);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
  Fail(DownReason::kFinished, "");
}

IoResult Connection::Read(char* room, size_t size) {
  if (state_ != State::kUp) return {IoState::kBlocked, 0};
  const IoResult result = transport_->Receive(room, size);
  counters_.received_bytes += result.bytes;
  if (result.state == IoState::kBroken) {
    CloseLater(DownReason::kBroken, transport_->error());
  } else if (transport_->has_plain() || transport_->has_encoded()) {
    end_of_iteration_.Schedule();
  }
  return result;
}

void Connection::SetReading(bool reading) {
  if (reading_ == reading) return;
  reading_ = reading;
  if (state_ != State::kUp) return;
  if (transport_->has_plain()) end_of_iteration_.Schedule();
  UpdateEvents();
}

void Connection::SetDeadline(Instant deadline) {
  deadline_ = deadline;
  Rearm();
}

bool Connection::HeardFrom(Duration recent) const {
  return transport_.has_value() && net::HeardFrom(transport_->fd(), recent);
}

void Connection::UpdateEvents() {
  // The flush at the end of this iteration knows more: a connection that it closes needs no events.
  if (end_of_iteration_.scheduled()) return;
  uint32_t events = 0;
  if (state_ == State::kConnecting) events = EPOLLOUT;
  if (state_ == State::kHandshake || state_ == State::kDraining) events = EPOLLIN;
  if (state_ == State::kUp && reading_) events = EPOLLIN;
  if (blocked_ || (state_ == State::kHandshake && transport_->has_encoded())) events |= EPOLLOUT;
  watcher_->SetEvents(events);
}

Instant Connection::NextDeadline() const {
  // Half of the patience first: the first look at the kernel's queue only notes what the second compares.
  const auto patience = [this](Duration whole) { return progress_ + (left_ ? whole : whole / 2); };
  switch (state_) {
    case State::kConnecting:
    case State::kHandshake:
      return std::min(deadline_, progress_ + options_.connect);
    case State::kUp:
      return WritesWait() ? std::min(deadline_, patience(options_.write_progress)) : deadline_;
    case State::kFinishing:
      return patience(options_.write_progress);
    case State::kDraining:
      return patience(options_.drain);
    case State::kDown:
      break;
  }
  return Instant::Never();
}

void Connection::Rearm() {
  const Instant next = NextDeadline();
  if (next < timer_.deadline()) timer_.Arm(next);
}

void Connection::OnTimer() {
  if (NextDeadline() > loop_.now()) return Rearm();
  const bool opening = state_ == State::kConnecting || state_ == State::kHandshake;
  if (deadline_ <= loop_.now() && (opening || state_ == State::kUp)) {
    return Fail(DownReason::kTimedOut, "nothing came in time");
  }
  if (opening) {
    return Fail(DownReason::kNotConnected, absl::StrCat("cannot connect to ", peer_.ToString(),
                                                        ": no answer in ", options_.connect.seconds(), " s"));
  }
  if (PeerTakesBytes()) return Rearm();
  Fail(DownReason::kTimedOut, "the peer takes our bytes too slowly");
}

// A large socket buffer takes nothing for long while the peer's kernel takes from it all the time. So the
// kernel is asked how much is unacknowledged: once in the middle of the patience, and once at its end.
bool Connection::PeerTakesBytes() {
  int left = 0;
  ioctl(transport_->fd(), SIOCOUTQ, &left);
  const bool first_look = !left_.has_value();
  const bool fewer = !first_look && left < *left_;
  left_ = left;
  if (fewer) progress_ = loop_.now();
  return first_look || fewer;
}

void Connection::Close(DownReason reason, std::string why) {
  state_ = State::kDown;
  reason_ = reason;
  why_ = std::move(why);
  timer_.Disarm();
  watcher_.reset();
  transport_.reset();
  queue_.Clear();
}

void Connection::CloseLater(DownReason reason, std::string why) {
  Close(reason, std::move(why));
  end_of_iteration_.Schedule();
}

void Connection::Fail(DownReason reason, std::string why) {
  Close(reason, std::move(why));
  Told(ConnectionEvent::kDown);
}

}  // namespace bt::net
