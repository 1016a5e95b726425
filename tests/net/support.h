#pragma once

// What the tests of net/ share: a directory that cleans up after itself, waiting for a condition on a loop
// with a deadline, and a port that nobody else is given.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/rng.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/socket.h"

namespace bt::net {

// Runs the loop until `done`; false after 20 s.
inline bool RunUntil(Loop& loop, const std::function<bool()>& done) {
  const Instant deadline = Loop::ReadClock() + Seconds(20);
  while (!done()) {
    if (Loop::ReadClock() > deadline) return false;
    loop.RunOnce(Milliseconds(50));
  }
  return true;
}

// A port of 127.0.0.1 on which nobody listens until the test does. It is bound as long as this lives: the
// kernel gives it to no other process, neither to one that listens nor to one that connects, and `Listen` may
// take it, for both have SO_REUSEADDR.
class ReservedPort {
 public:
  ReservedPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    EXPECT_EQ(setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    sockaddr_storage any{};
    const socklen_t size = ToSockaddr(Address::V4(127, 0, 0, 1, 0), any);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&any), size), 0);
    address_ = LocalAddress(fd_.get()).value();
  }
  const Address& address() const { return address_; }

 private:
  Fd fd_;
  Address address_;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const char* base = getenv("TEST_TMPDIR");
    std::string name = std::string(base != nullptr ? base : "/tmp") + "/net-test-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::shared_ptr<ReadableFile> OpenReadable(const std::string& path) {
  auto file = std::make_shared<ReadableFile>();
  file->path = path;
  file->fd = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(file->fd.valid());
  return file;
}

// A connection to a listener at 127.0.0.1, under way, from this address of the loopback interface.
inline Fd ConnectFrom(const char* host, const Address& to) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  EXPECT_EQ(::inet_pton(AF_INET, host, &at.sin_addr), 1);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  EXPECT_EQ(::inet_pton(AF_INET, "127.0.0.1", &at.sin_addr), 1);
  at.sin_port = htons(to.port);
  ::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at));
  return fd;
}

inline std::string RandomBytes(size_t size, uint64_t seed) {
  Rng rng(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.Next());
  return bytes;
}

}  // namespace bt::net
