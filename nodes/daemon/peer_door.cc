#include "nodes/daemon/peer_door.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "net/socket.h"
#include "nodes/client/hosted_transfer.h"

namespace bt::nodes {
namespace {

constexpr std::string_view kProtocol(
    "\x13"
    "BitTorrent protocol",
    20);
constexpr size_t kReserved = 8;
constexpr size_t kHashEnds = 20 + kReserved + std::tuple_size_v<InfoHash>;

// The kernel says that a socket is readable once it has so many bytes, or its end: without that it would say
// so all the time while a handshake is there in part, for nothing is read.
void ReadableFrom(int fd, int bytes) { ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes); }

}  // namespace

absl::StatusOr<std::unique_ptr<PeerDoor>> PeerDoor::Open(net::Loop& loop,
                                                         const std::optional<Address>& wanted,
                                                         HandOver hand_over) {
  const auto listen = [](const Address& address) { return net::Listen(address); };
  absl::StatusOr<net::Listener> listener = wanted ? listen(*wanted) : ListenEverywhere(listen);
  if (!listener.ok()) return listener.status();
  return std::make_unique<PeerDoor>(loop, *std::move(listener), std::move(hand_over));
}

PeerDoor::PeerDoor(net::Loop& loop, net::Listener listener, HandOver hand_over)
    : loop_(loop),
      hand_over_(std::move(hand_over)),
      timer_(loop, [this] { OnTimer(); }),
      acceptor_(loop, std::move(listener),
                [this](net::Fd fd, const Address& peer) { Take(std::move(fd), peer); }) {}

void PeerDoor::Take(net::Fd fd, const Address& peer) {
  if (waiting_.size() == kWaitingMax) {
    ++counters_.given_up;
    waiting_.erase(waiting_.begin());
  }
  ReadableFrom(fd.get(), static_cast<int>(kHashEnds));
  const uint64_t number = next_++;
  auto watcher = std::make_unique<net::Watcher>(loop_, fd.get(), EPOLLIN | EPOLLRDHUP,
                                                [this, number](uint32_t) { OnReady(number); });
  waiting_.emplace(number, Waiting{std::move(fd), peer, loop_.now() + kPatience, std::move(watcher)});
  if (!timer_.armed()) timer_.Arm(loop_.now() + kPatience);
}

void PeerDoor::OnReady(uint64_t number) {
  const auto found = waiting_.find(number);
  if (found == waiting_.end()) return;
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  waiting.watcher.reset();  // before the descriptor is anybody else's
  char begin[kHashEnds];
  const ssize_t got = ::recv(waiting.fd.get(), begin, sizeof begin, MSG_PEEK);
  InfoHash hash{};
  const bool handshake =
      got == static_cast<ssize_t>(sizeof begin) && std::string_view(begin, kProtocol.size()) == kProtocol;
  if (handshake) std::copy(begin + kProtocol.size() + kReserved, begin + kHashEnds, hash.begin());
  ReadableFrom(waiting.fd.get(), 1);
  const bool taken = handshake && hand_over_(hash, waiting.fd, waiting.peer);
  ++(taken ? counters_.handed_over : counters_.strangers);
}

void PeerDoor::OnTimer() {
  while (!waiting_.empty() && waiting_.begin()->second.deadline <= loop_.now()) {
    ++counters_.given_up;
    waiting_.erase(waiting_.begin());
  }
  if (!waiting_.empty()) timer_.Arm(waiting_.begin()->second.deadline);
}

}  // namespace bt::nodes
