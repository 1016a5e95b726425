#include "net/stream_links.h"

#include <absl/strings/str_cat.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "core/base/check.h"

namespace bt::net {
namespace {

constexpr size_t kVectorsPerWrite = 64;

}  // namespace

struct StreamLinks::Link {
  enum class State : uint8_t {
    kConnecting,
    kUp,
    kFlushing,  // closed by the machine, queue going out
    kDraining,  // our side is shut; waiting for the peer's end, so that close() does not reset what is in
                // flight
  };

  LinkId id;
  Address peer;
  Fd fd;
  State state = State::kConnecting;
  std::deque<SendItem> queue;
  size_t queued_bytes = 0;
  uint64_t sent = 0;
  bool told_sent = true;
  bool blocked = false;  // the socket takes no more until it is writable
  bool dirty = false;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<Timer> timeout;
};

StreamLinks::StreamLinks(Loop& loop, StreamLinksOptions options)
    : loop_(loop), options_(options), flush_(loop, [this] { Flush(); }), run_later_(loop, [this] {
        const auto later = std::exchange(later_, {});
        for (const auto& function : later) function();
      }) {}

StreamLinks::~StreamLinks() = default;

void StreamLinks::Connect(Deliver deliver, FindFile find_file) {
  deliver_ = std::move(deliver);
  find_file_ = std::move(find_file);
}

void StreamLinks::Later(std::function<void()> function) {
  later_.push_back(std::move(function));
  run_later_.Schedule();
}

absl::StatusOr<Address> StreamLinks::Listen(const Address& address) {
  CHECK(!acceptor_.has_value());
  absl::StatusOr<Listener> listener = net::Listen(address);
  if (!listener.ok()) return listener.status();
  acceptor_.emplace(loop_, *std::move(listener),
                    [this](Fd fd, const Address& peer) { Take(std::move(fd), peer); });
  return acceptor_->address();
}

void StreamLinks::Execute(LinkEffect effect) {
  if (auto* connect = std::get_if<LinkConnect>(&effect)) return Start(*connect);
  if (auto* bytes = std::get_if<LinkSendBytes>(&effect)) return Send(*bytes);
  if (auto* block = std::get_if<LinkSendBlock>(&effect)) return Send(std::move(*block));
  Close(std::get<LinkClose>(effect));
}

void StreamLinks::PauseReading(bool paused) {
  if (paused == reading_paused_) return;
  reading_paused_ = paused;
  if (paused) ++counters_.reading_pauses;
  for (auto& [id, link] : links_) {
    if (link->state == Link::State::kUp) UpdateEvents(*link);
  }
}

StreamLinks::Link* StreamLinks::Find(LinkId id) {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second.get();
}

void StreamLinks::Start(const LinkConnect& connect) {
  CHECK((connect.link.value() & kInboundLink) == 0 && !links_.contains(connect.link));
  auto link = std::make_unique<Link>();
  link->id = connect.link;
  link->peer = connect.peer;
  std::string failure;
  if (links_.size() >= options_.links_max) {
    failure = absl::StrCat("not connected to ", connect.peer.ToString(), ": already ", links_.size(),
                           " connections");
  } else {
    absl::StatusOr<Fd> fd = StartConnect(connect.peer);
    if (fd.ok()) {
      link->fd = *std::move(fd);
    } else {
      failure = std::string(fd.status().message());
    }
  }
  const LinkId id = connect.link;
  link->timeout = std::make_unique<Timer>(loop_, [this, id] { OnTimeout(id); });
  if (!failure.empty()) {
    // Told from the loop, not from within the step that asked for the connection.
    ++counters_.connect_failed;
    links_.emplace(id, std::move(link));
    Later([this, id, failure] { Drop(id, failure); });
    return;
  }
  link->timeout->Arm(loop_.now() + options_.connect_timeout);
  link->watcher = std::make_unique<Watcher>(loop_, link->fd.get(), EPOLLOUT,
                                            [this, id](uint32_t events) { OnReady(id, events); });
  links_.emplace(id, std::move(link));
}

void StreamLinks::Take(Fd fd, const Address& peer) {
  if (links_.size() >= options_.links_max) {
    ++counters_.turned_away;
    return;
  }
  ++counters_.accepted;
  auto link = std::make_unique<Link>();
  const LinkId id(kInboundLink | ++inbound_count_);
  link->id = id;
  link->peer = peer;
  link->fd = std::move(fd);
  link->state = Link::State::kUp;
  link->timeout = std::make_unique<Timer>(loop_, [this, id] { OnTimeout(id); });
  link->watcher = std::make_unique<Watcher>(loop_, link->fd.get(), reading_paused_ ? 0u : uint32_t{EPOLLIN},
                                            [this, id](uint32_t events) { OnReady(id, events); });
  links_.emplace(id, std::move(link));
  deliver_(LinkUp{id, peer});
}

void StreamLinks::OnReady(LinkId id, uint32_t events) {
  Link* link = Find(id);
  if (link == nullptr) return;
  if (link->state == Link::State::kConnecting) return OnConnected(*link);
  if (link->state == Link::State::kDraining) return Discard(*link);
  if (events & EPOLLOUT) {
    link->blocked = false;
    MarkDirty(*link);
  }
  const bool reading = link->state == Link::State::kUp && !reading_paused_;
  if (reading && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return Read(id);
  // Broken while not being read: epoll goes on reporting it whatever events were asked for.
  if (events & (EPOLLHUP | EPOLLERR)) Drop(id, "the connection broke");
}

void StreamLinks::OnConnected(Link& link) {
  const absl::Status status = ConnectError(link.fd.get(), link.peer);
  if (!status.ok()) {
    ++counters_.connect_failed;
    return Drop(link.id, std::string(status.message()));
  }
  link.timeout->Disarm();
  link.state = Link::State::kUp;
  UpdateEvents(link);
  MarkDirty(link);
  deliver_(LinkUp{link.id, link.peer});
}

void StreamLinks::Read(LinkId id) {
  size_t budget = options_.read_bytes_per_wake;
  while (budget > 0) {
    Link* link = Find(id);
    if (link == nullptr || link->state != Link::State::kUp || reading_paused_) return;
    const size_t room = std::min(pool_.room_bytes(), budget);
    const ssize_t got = recv(link->fd.get(), pool_.room(), room, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) Drop(id, ErrnoText(errno));
      return;
    }
    if (got == 0) return Drop(id, "the peer closed the connection");
    const size_t size = static_cast<size_t>(got);
    counters_.received_bytes += size;
    budget -= size;
    deliver_(LinkReceived{id, pool_.Take(size)});
    if (size < room) return;  // that was all there was
  }
}

void StreamLinks::Discard(Link& link) {
  std::array<char, 16 * 1024> scrap;
  const ssize_t got = recv(link.fd.get(), scrap.data(), scrap.size(), 0);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
  Drop(link.id, "");
}

void StreamLinks::Queue(LinkId id, SendItem item) {
  Link* link = Find(id);
  // Gone, and the machine will hear of it, or closed by itself just before.
  if (link == nullptr || link->state == Link::State::kFlushing || link->state == Link::State::kDraining)
    return;
  link->queued_bytes += item.bytes.size();
  link->queue.push_back(std::move(item));
  link->told_sent = false;
  if (link->queued_bytes > options_.queued_bytes_max || link->queue.size() > options_.queued_items_max) {
    ++counters_.queue_overflow;
    link->queue.clear();
    link->queued_bytes = 0;
    Later([this, id] { Drop(id, "the peer takes our bytes too slowly: send queue full"); });
    return;
  }
  MarkDirty(*link);
}

void StreamLinks::Send(const LinkSendBytes& send) {
  if (send.bytes.empty()) return;
  Queue(send.link, {.bytes = send.bytes, .file = nullptr, .file_id = {}, .offset = 0, .left = 0});
}

void StreamLinks::Send(LinkSendBlock send) {
  if (Find(send.link) == nullptr) return;
  std::shared_ptr<const ContentFile> file = find_file_(send.file);
  if (file == nullptr) {
    Later([this, send] {
      if (Find(send.link) == nullptr) return;
      deliver_(ReadFailed{send.file, send.offset, send.length, absl::NotFoundError("the file is not open")});
      Drop(send.link, "the file to send from is not open");
    });
    return;
  }
  if (!send.header.empty()) {
    Queue(send.link,
          {.bytes = std::move(send.header), .file = nullptr, .file_id = {}, .offset = 0, .left = 0});
  }
  Queue(send.link, {.bytes = {},
                    .file = std::move(file),
                    .file_id = send.file,
                    .offset = send.offset,
                    .left = send.length});
}

void StreamLinks::Close(const LinkClose& close) {
  Link* link = Find(close.link);
  if (link == nullptr) return;
  if (!close.flush || link->state == Link::State::kConnecting) {
    links_.erase(close.link);
    return;
  }
  if (link->state != Link::State::kUp) return;
  link->state = Link::State::kFlushing;
  link->timeout->Arm(loop_.now() + options_.flush_patience);
  UpdateEvents(*link);
  MarkDirty(*link);
}

void StreamLinks::OnTimeout(LinkId id) {
  Link* link = Find(id);
  if (link == nullptr) return;
  if (link->state == Link::State::kConnecting) ++counters_.connect_failed;
  Drop(id, absl::StrCat("cannot connect to ", link->peer.ToString(), ": no answer in ",
                        options_.connect_timeout.seconds(), " s"));
}

void StreamLinks::MarkDirty(Link& link) {
  if (link.dirty || link.state == Link::State::kConnecting) return;
  link.dirty = true;
  dirty_.push_back(link.id);
  flush_.Schedule();
}

void StreamLinks::Flush() {
  std::vector<LinkId> dirty;
  dirty.swap(dirty_);
  for (const LinkId id : dirty) FlushLink(id);
}

void StreamLinks::FlushLink(LinkId id) {
  Link* link = Find(id);
  if (link == nullptr) return;
  link->dirty = false;
  if (link->state == Link::State::kConnecting || link->state == Link::State::kDraining) return;
  const uint64_t stop_at = link->sent + options_.write_bytes_per_wake;
  while (!link->blocked && !link->queue.empty() && link->sent < stop_at) {
    const Flow flow = link->queue.front().file == nullptr ? WriteBytes(*link) : WriteFile(*link);
    if (flow == Flow::kGone) return;
    if (flow == Flow::kBlocked) link->blocked = true;
  }
  if (!link->queue.empty()) {
    // Past its share without filling the socket: epoll will say at once that it is writable.
    link->blocked = true;
    return UpdateEvents(*link);
  }
  UpdateEvents(*link);
  if (link->state == Link::State::kFlushing) {
    shutdown(link->fd.get(), SHUT_WR);
    link->state = Link::State::kDraining;
    return UpdateEvents(*link);
  }
  if (!link->told_sent) {
    link->told_sent = true;
    deliver_(LinkSent{id, link->sent});
  }
}

// As many queued byte items as one system call takes.
StreamLinks::Flow StreamLinks::WriteBytes(Link& link) {
  std::array<iovec, kVectorsPerWrite> vectors;
  size_t count = 0;
  size_t total = 0;
  auto item = link.queue.begin();
  for (; item != link.queue.end() && item->file == nullptr && count < kVectorsPerWrite; ++item) {
    vectors[count++] = {const_cast<char*>(item->bytes.data()), item->bytes.size()};
    total += item->bytes.size();
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  // A block's header waits for the block: one segment instead of two.
  const int more = item != link.queue.end() ? MSG_MORE : 0;
  const ssize_t written = sendmsg(link.fd.get(), &message, MSG_NOSIGNAL | more);
  if (written < 0) {
    if (errno == EINTR) return Flow::kGoOn;
    if (errno == EAGAIN) return Flow::kBlocked;
    Drop(link.id, ErrnoText(errno));
    return Flow::kGone;
  }
  size_t left = static_cast<size_t>(written);
  link.sent += left;
  link.queued_bytes -= left;
  counters_.sent_bytes += left;
  const bool all = left == total;
  while (left > 0) {
    SendItem& front = link.queue.front();
    if (left < front.bytes.size()) {
      front.bytes = front.bytes.From(left);
      break;
    }
    left -= front.bytes.size();
    link.queue.pop_front();
  }
  return all ? Flow::kGoOn : Flow::kBlocked;
}

StreamLinks::Flow StreamLinks::WriteFile(Link& link) {
  SendItem& item = link.queue.front();
  if (item.left > 0) {
    off_t offset = static_cast<off_t>(item.offset);
    const ssize_t written = sendfile(link.fd.get(), item.file->fd.get(), &offset, item.left);
    if (written < 0 && errno == EINTR) return Flow::kGoOn;
    if (written < 0 && errno == EAGAIN) return Flow::kBlocked;
    if (written < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT)) {
      Drop(link.id, ErrnoText(errno));
      return Flow::kGone;
    }
    if (written <= 0) {
      const std::string reason = written == 0 ? "the file has become shorter" : ErrnoText(errno);
      const LinkId id = link.id;
      const absl::Status status = absl::DataLossError(
          absl::StrCat("cannot read ", item.file->path, " at ", item.offset, ": ", reason));
      deliver_(ReadFailed{item.file_id, item.offset, item.left, status});
      Drop(id, "the file to send from could not be read");
      return Flow::kGone;
    }
    item.offset += static_cast<uint64_t>(written);
    item.left -= static_cast<uint64_t>(written);
    link.sent += static_cast<uint64_t>(written);
    counters_.sent_bytes += static_cast<uint64_t>(written);
  }
  if (item.left == 0) link.queue.pop_front();
  return Flow::kGoOn;
}

void StreamLinks::UpdateEvents(Link& link) {
  uint32_t events = 0;
  const bool reads = link.state == Link::State::kUp && !reading_paused_;
  if (reads || link.state == Link::State::kDraining) events |= EPOLLIN;
  if (link.state == Link::State::kConnecting || (link.blocked && !link.queue.empty())) events |= EPOLLOUT;
  link.watcher->SetEvents(events);
}

void StreamLinks::Drop(LinkId id, std::string why) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const Link::State state = found->second->state;
  links_.erase(found);
  if (state == Link::State::kConnecting || state == Link::State::kUp) deliver_(LinkDown{id, std::move(why)});
}

}  // namespace bt::net
