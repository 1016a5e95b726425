#pragma once

// Fd: owns a file descriptor. ReadableFile: an open file and the name that errors give it. FileSpot: where in
// a file bytes begin.

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace bt::net {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct ReadableFile {
  Fd fd;
  std::string path;
};

struct FileSpot {
  std::shared_ptr<const ReadableFile> file;  // nullptr: there are none
  uint64_t offset = 0;
};

}  // namespace bt::net
