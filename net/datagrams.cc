#include "net/datagrams.h"

#include <absl/strings/str_cat.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/check.h"

namespace bt::net {
namespace {

constexpr size_t kBatch = 64;
// About a millisecond of answering: a flood of datagrams must not keep the loop from its other work. What is
// left wakes the loop again.
constexpr int kBatchesPerWake = 4;
// Of the kernel's buffers, each way: some thousand datagrams, for the time that a step of the machine takes.
constexpr int kKernelBytes = 2 << 20;
constexpr size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));

absl::Status BindError(const Address& address, int error) {
  const std::string where = absl::StrCat("cannot take datagrams on ", address.ToString(), ": ");
  if (error == EADDRINUSE) return absl::AlreadyExistsError(absl::StrCat(where, "the UDP port is in use"));
  if (error == EACCES || error == EPERM)
    return absl::PermissionDeniedError(absl::StrCat(where, "permission denied"));
  if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
    return absl::InvalidArgumentError(absl::StrCat(where, "this machine has no such address"));
  return absl::UnavailableError(absl::StrCat(where, ErrnoText(error)));
}

bool AllZero(const std::array<uint8_t, 16>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

// The address of this machine that the datagram was sent to, as IPv6 or mapped.
std::array<uint8_t, 16> LocalOf(msghdr& header) {
  std::array<uint8_t, 16> local{};
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(local.data(), CMSG_DATA(part) + offsetof(in6_pktinfo, ipi6_addr), local.size());
    } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      local = Address::V4(0, 0, 0, 0, 0).ip;
      std::memcpy(local.data() + 12, CMSG_DATA(part) + offsetof(in_pktinfo, ipi_spec_dst), 4);
    }
  }
  return local;
}

template <class Info>
void PutControl(msghdr& header, int level, int type, const Info& info) {
  header.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = level;
  part->cmsg_type = type;
  part->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(part), &info, sizeof info);
}

void SetLocal(const std::array<uint8_t, 16>& local, bool v6, msghdr& header) {
  if (AllZero(local)) {
    header.msg_control = nullptr;
    header.msg_controllen = 0;
  } else if (v6) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.data(), local.size());
    PutControl(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, local.data() + 12, 4);
    PutControl(header, IPPROTO_IP, IP_PKTINFO, info);
  }
}

socklen_t PeerSockaddr(const DatagramRoute& route, bool v6, sockaddr_storage& storage) {
  if (!v6) return ToSockaddr(route.peer, storage);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(route.peer.port);
  address.sin6_scope_id = route.scope;
  std::memcpy(&address.sin6_addr, route.peer.ip.data(), route.peer.ip.size());
  std::memcpy(&storage, &address, sizeof address);
  return sizeof address;
}

}  // namespace

struct DatagramSocket::Batch {
  struct Place {
    sockaddr_storage peer;
    iovec bytes;
    alignas(cmsghdr) char control[kControlBytes];
    char buffer[kDatagramLimit];
  };
  std::array<mmsghdr, kBatch> headers;
  std::array<Place, kBatch> places;
};

absl::StatusOr<Listener> BindDatagrams(const Address& address) {
  sockaddr_storage storage;
  const socklen_t size = ToSockaddr(address, storage);
  Fd fd(socket(storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return BindError(address, errno);
  const bool v6 = storage.ss_family == AF_INET6;
  const int on = 1;
  setsockopt(fd.get(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kKernelBytes, sizeof kKernelBytes);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kKernelBytes, sizeof kKernelBytes);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
    return BindError(address, errno);
  absl::StatusOr<Address> local = LocalAddress(fd.get());
  if (!local.ok()) return local.status();
  return Listener{std::move(fd), *local};
}

DatagramSocket::DatagramSocket(Loop& loop, Listener bound, Take take)
    : bound_(std::move(bound)),
      v6_(!bound_.address.is_v4()),
      take_(std::move(take)),
      batch_(std::make_shared<Batch>()),
      watcher_(loop, bound_.fd.get(), EPOLLIN, [this](uint32_t) { ReadMany(); }),
      flush_(loop, [this] { Flush(); }) {
  queue_.reserve(kBatch);
}

void DatagramSocket::ReadMany() {
  for (int i = 0; i < kBatchesPerWake && ReadBatch(); ++i) {
  }
}

bool DatagramSocket::ReadBatch() {
  Batch& batch = *batch_;
  for (size_t i = 0; i < kBatch; ++i) {
    Batch::Place& place = batch.places[i];
    place.bytes = {place.buffer, sizeof place.buffer};
    batch.headers[i].msg_hdr = {.msg_name = &place.peer,
                                .msg_namelen = sizeof place.peer,
                                .msg_iov = &place.bytes,
                                .msg_iovlen = 1,
                                .msg_control = place.control,
                                .msg_controllen = sizeof place.control,
                                .msg_flags = 0};
  }
  // An error is that of an earlier answer (a port that nobody listens at), and reading it has cleared it.
  const int count = recvmmsg(bound_.fd.get(), batch.headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i) {
    msghdr& header = batch.headers[i].msg_hdr;
    ++counters_.received;
    counters_.received_bytes += batch.headers[i].msg_len;
    if ((header.msg_flags & MSG_TRUNC) != 0) {
      ++counters_.oversized;
      continue;
    }
    const Batch::Place& place = batch.places[i];
    DatagramRoute route{.peer = FromSockaddr(place.peer), .local = LocalOf(header)};
    if (place.peer.ss_family == AF_INET6)
      route.scope = reinterpret_cast<const sockaddr_in6&>(place.peer).sin6_scope_id;
    take_(route, {place.buffer, batch.headers[i].msg_len});
  }
  return count == static_cast<int>(kBatch);
}

void DatagramSocket::Send(const DatagramRoute& to, std::string_view bytes) {
  CHECK(bytes.size() <= kDatagramLimit);
  if (queue_.size() == kBatch) Flush();
  queue_.push_back({to, queued_.size(), bytes.size()});
  queued_.insert(queued_.end(), bytes.begin(), bytes.end());
  flush_.Schedule();
}

void DatagramSocket::Flush() {
  // Not batch_: Send may be called for a datagram of it that is being taken.
  std::array<mmsghdr, kBatch> headers;
  std::array<sockaddr_storage, kBatch> peers;
  std::array<iovec, kBatch> bytes;
  alignas(cmsghdr) char controls[kBatch][kControlBytes];
  const size_t size = queue_.size();
  for (size_t i = 0; i < size; ++i) {
    const Queued& queued = queue_[i];
    bytes[i] = {queued_.data() + queued.begin, queued.size};
    headers[i].msg_hdr = {.msg_name = &peers[i],
                          .msg_namelen = PeerSockaddr(queued.to, v6_, peers[i]),
                          .msg_iov = &bytes[i],
                          .msg_iovlen = 1,
                          .msg_control = controls[i],
                          .msg_controllen = kControlBytes,
                          .msg_flags = 0};
    SetLocal(queued.to.local, v6_, headers[i].msg_hdr);
  }
  for (size_t done = 0; done < size;) {
    const int sent = sendmmsg(bound_.fd.get(), headers.data() + done, size - done, MSG_DONTWAIT);
    if (sent > 0) {
      counters_.sent += static_cast<uint64_t>(sent);
      for (int i = 0; i < sent; ++i) counters_.sent_bytes += queue_[done + static_cast<size_t>(i)].size;
      done += static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      counters_.unsent += size - done;
      break;
    } else if (errno != EINTR) {
      ++counters_.unsent;  // this one cannot be sent; the others may
      ++done;
    }
  }
  queue_.clear();
  queued_.clear();
}

}  // namespace bt::net
