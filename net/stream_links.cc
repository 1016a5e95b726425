#include "net/stream_links.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "net/socket.h"

namespace bt::net {

struct StreamLinks::Link {
  std::unique_ptr<Connection> connection;  // none for a link that links_max did not let come about
  bool dialled = false;
  bool up = false;
  bool spoke = false;   // the peer has
  bool closed = false;  // by the machine, with `flush`: it hears nothing more of the link
};

StreamLinks::StreamLinks(Loop& loop, StreamLinksOptions options)
    : loop_(loop), options_(std::move(options)), later_(loop) {}

StreamLinks::~StreamLinks() = default;

void StreamLinks::Connect(Deliver deliver, FindFile find_file) {
  deliver_ = std::move(deliver);
  find_file_ = std::move(find_file);
}

absl::StatusOr<Address> StreamLinks::Listen(const Address& address) {
  CHECK(!acceptor_.has_value());
  absl::StatusOr<Listener> listener = net::Listen(address);
  if (!listener.ok()) return listener.status();
  acceptor_.emplace(loop_, *std::move(listener), [this](Fd fd, const Address& peer) {
    Adopt({std::move(fd), nullptr}, peer);
  });
  return acceptor_->address();
}

void StreamLinks::Execute(LinkEffect effect) {
  if (auto* connect = std::get_if<LinkConnect>(&effect)) return Start(*connect);
  if (auto* bytes = std::get_if<LinkSendBytes>(&effect)) return Send(std::move(*bytes));
  if (auto* block = std::get_if<LinkSendFile>(&effect)) return Send(std::move(*block));
  Close(std::get<LinkClose>(effect));
}

void StreamLinks::PauseReading(bool paused) {
  if (paused == reading_paused_) return;
  reading_paused_ = paused;
  if (paused) ++counters_.reading_pauses;
  for (auto& [id, link] : links_) {
    if (link->connection != nullptr) link->connection->SetReading(!paused);
  }
}

// The connection of a link that the machine may still use, if it has one.
Connection* StreamLinks::Find(LinkId id) {
  const auto found = links_.find(id);
  return found == links_.end() || found->second->closed ? nullptr : found->second->connection.get();
}

Connection::Tell StreamLinks::Hear(LinkId id) {
  return [this, id](ConnectionEvent event) { OnEvent(id, event); };
}

void StreamLinks::Start(const LinkConnect& connect) {
  const LinkId id = connect.link;
  CHECK((id.value() & kInboundLink) == 0 && !links_.contains(id));
  auto link = std::make_unique<Link>();
  link->dialled = true;
  if (links_.size() >= options_.links_max) {
    ++counters_.connect_failed;
    later_.Tell([this, id,
                 why = absl::StrCat("not connected to ", connect.peer.ToString(), ": already ", links_.size(),
                                    " connections")] { Drop(id, why); });
  } else {
    link->connection =
        std::make_unique<Connection>(loop_, options_.connection, counters_, connect.peer, Hear(id));
    link->connection->SetReading(!reading_paused_);
  }
  links_.emplace(id, std::move(link));
}

void StreamLinks::Adopt(Accepted accepted, const Address& peer) {
  if (links_.size() >= options_.links_max) {
    ++counters_.turned_away;
    return;
  }
  ++counters_.accepted;
  const LinkId id(kInboundLink | ++inbound_count_);
  auto link = std::make_unique<Link>();
  link->connection = std::make_unique<Connection>(loop_, options_.connection, counters_, peer,
                                                  std::move(accepted), Hear(id));
  link->connection->SetReading(!reading_paused_);
  links_.emplace(id, std::move(link));
}

void StreamLinks::OnEvent(LinkId id, ConnectionEvent event) {
  Link& link = *links_.at(id);
  switch (event) {
    case ConnectionEvent::kUp:
      link.up = true;
      return deliver_(LinkUp{id, link.connection->peer()});
    case ConnectionEvent::kReadable:
      return Read(id);
    case ConnectionEvent::kFlushed:
      return deliver_(LinkSent{id, link.connection->sent()});
    case ConnectionEvent::kDown:
      return OnDown(id);
  }
}

void StreamLinks::Read(LinkId id) {
  size_t budget = options_.read_bytes_per_wake;
  while (budget > 0) {
    Connection* connection = Find(id);
    if (connection == nullptr || reading_paused_) return;
    const size_t room = std::min(pool_.room_bytes(), budget);
    const IoResult got = connection->Read(pool_.room(), room);
    if (got.state == IoResult::State::kEnd) return Drop(id, "the peer closed the connection");
    if (got.state != IoResult::State::kDone) return;
    budget -= got.bytes;
    links_.at(id)->spoke = true;
    deliver_(LinkReceived{id, pool_.Take(got.bytes)});
    if (got.bytes < room) return;  // that was all there was
  }
}

void StreamLinks::Send(LinkSendBytes send) {
  if (Connection* connection = Find(send.link)) connection->Write(std::move(send.bytes));
}

void StreamLinks::Send(LinkSendFile send) {
  // Gone, and the machine will hear of it, or closed by itself just before.
  Connection* connection = Find(send.link);
  if (connection == nullptr) return;
  FileSpot spot = find_file_(send.file, send.offset);
  if (spot.file == nullptr) {
    later_.Tell([this, send] {
      if (Find(send.link) == nullptr) return;
      deliver_(ReadFailed{send.file, send.offset, send.length, absl::NotFoundError("the file is not open")});
      Drop(send.link, "the file to send from is not open");
    });
    return;
  }
  connection->Write(std::move(send.header));
  connection->Write(
      FileRange{std::move(spot.file), spot.offset, send.length, send.file.value(), send.offset});
}

void StreamLinks::Close(const LinkClose& close) {
  const auto found = links_.find(close.link);
  if (found == links_.end() || found->second->closed) return;
  Link& link = *found->second;
  if (!close.flush || !link.up) {
    if (!link.up) TellDialled(link);
    links_.erase(found);
    return;
  }
  link.closed = true;
  link.connection->Finish(Connection::Drain::kAlways);
}

void StreamLinks::OnDown(LinkId id) {
  const Link& link = *links_.at(id);
  const Connection& connection = *link.connection;
  std::string why = connection.why();
  if (connection.reason() == DownReason::kNotConnected) ++counters_.connect_failed;
  if (connection.reason() == DownReason::kOverflow) ++counters_.queue_overflow;
  if (connection.reason() == DownReason::kUnreadable && !link.closed) {
    const FileRange range = connection.unreadable();
    deliver_(ReadFailed{FileId(static_cast<uint32_t>(range.tag)), range.named, range.length,
                        absl::DataLossError(why)});
    why = "the file to send from could not be read";
  }
  Drop(id, std::move(why));
}

void StreamLinks::TellDialled(const Link& link) const {
  if (!link.dialled || link.connection == nullptr || !options_.dialled) return;
  options_.dialled(link.connection->peer(), link.up, link.spoke);
}

// Tells the machine unless it closed the link itself.
void StreamLinks::Drop(LinkId id, std::string why) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const std::unique_ptr<Link> link = std::move(found->second);
  links_.erase(found);
  TellDialled(*link);
  if (!link->closed) deliver_(LinkDown{id, std::move(why)});
}

}  // namespace bt::net
