#pragma once

// Transport: a connected, non-blocking descriptor, seen through its filter if it has one. Every read and
// write of a connection goes through here, so that whoever uses a connection knows of no filter. Without one
// each call is one system call. Limits: at most kEncodedBytesMax and one chunk wait for the descriptor.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/fd.h"
#include "net/filter.h"

namespace bt::net {

struct IoResult {
  enum class State : uint8_t {
    kDone,
    kBlocked,     // the descriptor takes or has no more at present
    kEnd,         // the peer has ended its half
    kBroken,      // for good; error() tells why
    kUnreadable,  // the file to send from cannot be read; error() tells why
  };
  State state = State::kDone;
  size_t bytes = 0;  // moved, whatever the state
};

class Transport {
 public:
  static constexpr size_t kEncodedBytesMax = 256 * 1024;
  // A filter is given this much plain text, or this much of a file, at a time.
  static constexpr size_t kChunkBytes = 64 * 1024;

  Transport(Fd fd, std::unique_ptr<Filter> filter) : fd_(std::move(fd)), filter_(std::move(filter)) {}

  int fd() const { return fd_.get(); }
  bool established() const { return filter_ == nullptr || filter_->established(); }
  // Plain bytes are there that no readiness of the descriptor will tell of.
  bool has_plain() const { return filter_ != nullptr && filter_->has_plain(); }
  // Bytes that the filter made wait for the descriptor.
  bool has_encoded() const { return !encoded_.empty(); }
  const std::string& error() const { return error_; }
  // It is the filter that broke the connection, for what came from the peer.
  bool refused() const { return refused_; }
  // See Filter. Without one: nothing is proven.
  std::string binding() const { return filter_ == nullptr ? std::string() : filter_->Binding(); }
  bool PeerIsCalled(const std::string& name) const {
    return filter_ != nullptr && filter_->PeerIsCalled(name);
  }

  // The descriptor and the filter, which has said its part of the handshake: for who goes on with them.
  std::pair<Fd, std::unique_ptr<Filter>> Release() && { return {std::move(fd_), std::move(filter_)}; }

  // Moves the filter's handshake as far as it goes.
  IoResult Shake();
  IoResult Receive(char* room, size_t size);
  // `more`: further bytes follow at once, so that a short segment is better not sent yet.
  IoResult Send(std::span<const iovec> parts, bool more);
  IoResult SendFile(const ReadableFile& file, uint64_t offset, size_t size);
  // Writes what has_encoded() speaks of.
  IoResult Flush();
  // Tells the peer, in the filter's terms, that nothing more will be sent.
  IoResult End();
  // Unread bytes of the peer lie in the descriptor; closing it now would reset the connection.
  bool HasUnread() const;

 private:
  size_t waiting() const { return encoded_.size() - encoded_sent_; }
  IoResult Broken(std::string why);
  IoResult FillFilter();
  IoResult SendEncoded(std::span<const iovec> parts);
  IoResult Encode(std::string_view plain);

  Fd fd_;
  std::unique_ptr<Filter> filter_;
  // At most kEncodedBytesMax and an answer; twice that ends it.
  std::string encoded_;  // from encoded_sent_ on still to be written
  size_t encoded_sent_ = 0;
  bool refused_ = false;
  std::string error_;  // at most one sentence
};

}  // namespace bt::net
