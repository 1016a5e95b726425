#include "nodes/client/peer_door.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "net/address_group.h"
#include "net/socket.h"

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
                                                         Owners owners) {
  absl::StatusOr<net::Listener> listener = net::Listen(wanted.value_or(Address{}));
  // A machine without IPv6 has the other family alone.
  if (!wanted && !listener.ok()) listener = net::Listen(Address::V4(0, 0, 0, 0, 0));
  if (!listener.ok()) return listener.status();
  return std::make_unique<PeerDoor>(loop, *std::move(listener), std::move(owners));
}

PeerDoor::PeerDoor(net::Loop& loop, net::Listener listener, Owners owners)
    : loop_(loop),
      owners_(std::move(owners)),
      timer_(loop, [this] { OnTimer(); }),
      acceptor_(loop, std::move(listener),
                [this](net::Fd fd, const Address& peer) { Take(std::move(fd), peer); }) {}

void PeerDoor::Take(net::Fd fd, const Address& peer) {
  if (waiting_.size() == kWaitingMax) MakeRoom();
  ReadableFrom(fd.get(), static_cast<int>(kHashEnds));
  const uint64_t number = next_++;
  auto watcher = std::make_unique<net::Watcher>(loop_, fd.get(), EPOLLIN | EPOLLRDHUP,
                                                [this, number](uint32_t) { OnReady(number); });
  Waiting waiting{std::move(fd), peer, loop_.now() + kPatience, std::move(watcher), nullptr};
  waiting_.emplace(number, std::move(waiting));
  if (!timer_.armed()) timer_.Arm(loop_.now() + kPatience);
}

// Who fills the door from one address displaces his own.
void PeerDoor::MakeRoom() {
  absl::btree_map<net::AddressGroup, std::vector<uint64_t>> of_address;
  for (const auto& [number, waiting] : waiting_) of_address[net::GroupOf(waiting.peer)].push_back(number);
  const auto most = std::max_element(
      of_address.begin(), of_address.end(),
      [](const auto& one, const auto& other) { return one.second.size() < other.second.size(); });
  ++counters_.given_up;
  waiting_.erase(most->second.front());
}

void PeerDoor::OnReady(uint64_t number) {
  const auto found = waiting_.find(number);
  if (found == waiting_.end()) return;
  Waiting& waiting = found->second;
  if (waiting.transport != nullptr) return Shake(number, waiting);
  char begin[kHashEnds];
  const ssize_t got = ::recv(waiting.fd.get(), begin, sizeof begin, MSG_PEEK);
  if (got != static_cast<ssize_t>(sizeof begin)) return Close(number);
  ReadableFrom(waiting.fd.get(), 1);
  if (std::string_view(begin, kProtocol.size()) != kProtocol) return BeginMse(number, waiting);
  InfoHash hash{};
  std::copy(begin + kProtocol.size() + kReserved, begin + kHashEnds, hash.begin());
  waiting.watcher.reset();  // before the descriptor is anybody else's
  HandOver(number, hash, {std::move(waiting.fd), nullptr});
}

void PeerDoor::BeginMse(uint64_t number, Waiting& waiting) {
  auto filter = std::make_unique<MseFilter>(owners_.hashes);
  waiting.filter = filter.get();
  waiting.transport = std::make_unique<net::Transport>(std::move(waiting.fd), std::move(filter));
  Shake(number, waiting);
}

void PeerDoor::Shake(uint64_t number, Waiting& waiting) {
  const net::IoResult result = waiting.transport->Shake();
  const bool over =
      result.state == net::IoResult::State::kBroken || result.state == net::IoResult::State::kEnd;
  // A few hundred bytes that a new socket does not take: its other end is up to no good.
  if (over || waiting.transport->has_encoded()) return Close(number);
  if (!waiting.filter->established()) return;
  ++counters_.encrypted;
  const InfoHash hash = waiting.filter->torrent();
  waiting.watcher.reset();
  auto [fd, filter] = std::move(*waiting.transport).Release();
  HandOver(number, hash, {std::move(fd), std::move(filter)});
}

void PeerDoor::HandOver(uint64_t number, const InfoHash& hash, net::Accepted accepted) {
  const auto found = waiting_.find(number);
  const Address peer = found->second.peer;
  waiting_.erase(found);
  const bool taken = owners_.hand_over(hash, accepted, peer);
  ++(taken ? counters_.handed_over : counters_.strangers);
}

void PeerDoor::Close(uint64_t number) {
  waiting_.erase(number);
  ++counters_.strangers;
}

void PeerDoor::OnTimer() {
  while (!waiting_.empty() && waiting_.begin()->second.deadline <= loop_.now()) {
    ++counters_.given_up;
    waiting_.erase(waiting_.begin());
  }
  if (!waiting_.empty()) timer_.Arm(waiting_.begin()->second.deadline);
}

}  // namespace bt::nodes
