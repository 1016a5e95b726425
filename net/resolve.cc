#include "net/resolve.h"

#include <absl/strings/str_cat.h>
#include <netdb.h>
#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <mutex>
#include <utility>

#include "net/socket.h"

namespace bt::net {
namespace {

constexpr size_t kHostBytesMax = 255;  // RFC 1035, section 2.3.4

bool IsHostCharacter(char c, bool bracketed) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || c == '-' || c == '.' || c == '_' || (bracketed && c == ':');
}

}  // namespace

bool IsHost(std::string_view host) {
  if (host.size() > kHostBytesMax) return false;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  return !host.empty() &&
         std::all_of(host.begin(), host.end(), [&](char c) { return IsHostCharacter(c, bracketed); });
}

absl::StatusOr<HostAndPort> HostAndPort::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && IsHost(text.substr(0, colon))) {
    HostAndPort parsed{.host = std::string(text.substr(0, colon))};
    const char* end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + colon + 1, end, parsed.port);
    if (error == std::errc() && last == end) return parsed;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", std::string(text), "' is not HOST:PORT"));
}

HostAndPort HostAndPort::Of(const Address& address) {
  const std::string text = address.ToString();
  return {text.substr(0, text.rfind(':')), address.port};
}

std::string HostAndPort::ToString() const { return absl::StrCat(host, ":", port); }

bool HostAndPort::IsAnywhere() const {
  const auto address = Address::Parse(ToString());
  return address && (address->ip == Address{}.ip || address->ip == Address::V4(0, 0, 0, 0, 0).ip);
}

absl::StatusOr<std::vector<Address>> ResolveAll(const HostAndPort& name) {
  if (const auto address = Address::Parse(name.ToString())) return std::vector{*address};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat("cannot resolve host '", name.host, "': ", gai_strerror(error)));
  }
  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, entry->ai_addrlen);
    Address address = FromSockaddr(storage);
    address.port = name.port;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  freeaddrinfo(found);
  std::stable_partition(addresses.begin(), addresses.end(), [](const Address& each) { return each.is_v4(); });
  return addresses;
}

absl::StatusOr<Address> Resolve(std::string_view host_and_port) {
  const absl::StatusOr<HostAndPort> name = HostAndPort::Parse(host_and_port);
  if (!name.ok()) return name.status();
  const absl::StatusOr<std::vector<Address>> addresses = ResolveAll(*name);
  if (!addresses.ok()) return addresses.status();
  return addresses->front();
}

struct Lookup::Asked {
  const HostAndPort name;
  const Resolver resolver;
  Done done;
  std::mutex mutex;
  Loop* loop;  // nullptr: nobody waits any more. Written under mutex, by the loop's thread alone
};

Lookup::Lookup(Loop& loop, HostAndPort name, Resolver resolver, Done done)
    : asked_(new Asked{std::move(name), std::move(resolver), std::move(done), {}, &loop}) {
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  auto own = std::make_unique<std::shared_ptr<Asked>>(asked_);
  pthread_t thread{};
  const int error = pthread_create(&thread, &detached, &Run, own.get());
  pthread_attr_destroy(&detached);
  if (error == 0) {
    (void)own.release();  // the thread's
    return;
  }
  loop.Post([asked = asked_, error] {
    if (asked->loop == nullptr) return;
    const Done told = std::move(asked->done);
    told(absl::ResourceExhaustedError(
        absl::StrCat("no thread to resolve host '", asked->name.host, "': ", ErrnoText(error))));
  });
}

Lookup::~Lookup() {
  const std::lock_guard<std::mutex> lock(asked_->mutex);
  asked_->loop = nullptr;
}

void* Lookup::Run(void* argument) {
  BlockAllSignalsInThisThread();
  const std::unique_ptr<std::shared_ptr<Asked>> own(static_cast<std::shared_ptr<Asked>*>(argument));
  const std::shared_ptr<Asked>& asked = *own;
  auto found = asked->resolver(asked->name);
  // Under the mutex the loop, which outlives the Lookup, is there as long as the Lookup is.
  const std::lock_guard<std::mutex> lock(asked->mutex);
  if (asked->loop == nullptr) return nullptr;
  asked->loop->Post([asked, found = std::move(found)] {
    if (asked->loop == nullptr) return;
    const Done told = std::move(asked->done);
    told(found);
  });
  return nullptr;
}

}  // namespace bt::net
