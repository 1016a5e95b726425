#include "net/transport.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "core/base/check.h"
#include "net/socket.h"

namespace bt::net {
namespace {

using State = IoResult::State;

// Until the system call is not interrupted.
template <class Call>
ssize_t Retry(const Call& call) {
  while (true) {
    const ssize_t result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

bool PeerGone(int error) { return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT; }

std::string Unreadable(const ReadableFile& file, uint64_t offset, ssize_t got) {
  return absl::StrCat("cannot read ", file.path, " at ", offset, ": ",
                      got == 0 ? "the file has become shorter" : ErrnoText(errno));
}

}  // namespace

IoResult Transport::Broken(std::string why) {
  error_ = std::move(why);
  return {State::kBroken, 0};
}

// One read of the descriptor into the filter.
IoResult Transport::FillFilter() {
  std::array<char, kChunkBytes> encoded;
  const ssize_t got = Retry([&] { return recv(fd_.get(), encoded.data(), encoded.size(), 0); });
  if (got < 0 && errno == EAGAIN) return {State::kBlocked, 0};
  if (got < 0) return Broken(ErrnoText(errno));
  if (got == 0) {
    const bool may_end = filter_->ended() || (filter_->established() && filter_->ends_with_descriptor());
    return may_end ? IoResult{State::kEnd, 0} : Broken("the peer ended the connection too early");
  }
  const absl::Status status = filter_->PutEncoded({encoded.data(), static_cast<size_t>(got)});
  filter_->TakeEncoded(encoded_);
  const IoResult flushed = Flush();  // also after an error: it may be what tells the peer of it
  if (!status.ok()) {
    refused_ = true;
    return Broken(std::string(status.message()));
  }
  if (flushed.state == State::kBroken) return flushed;
  // Sending alone stays below this, so the excess is answers the filter gives by itself.
  if (waiting() > 2 * kEncodedBytesMax) return Broken("the peer takes none of the answers it asks for");
  return {State::kDone, static_cast<size_t>(got)};
}

IoResult Transport::Shake() {
  while (!established()) {
    filter_->TakeEncoded(encoded_);
    const IoResult flushed = Flush();
    if (flushed.state == State::kBroken) return flushed;
    const IoResult filled = FillFilter();
    if (filled.state != State::kDone) return filled;
  }
  return {State::kDone, 0};
}

IoResult Transport::Receive(char* room, size_t size) {
  if (filter_ == nullptr) {
    const ssize_t got = Retry([&] { return recv(fd_.get(), room, size, 0); });
    if (got > 0) return {State::kDone, static_cast<size_t>(got)};
    if (got == 0) return {State::kEnd, 0};
    return errno == EAGAIN ? IoResult{State::kBlocked, 0} : Broken(ErrnoText(errno));
  }
  while (true) {
    const size_t got = filter_->TakePlain(room, size);
    if (got > 0) return {State::kDone, got};
    if (filter_->ended()) return {State::kEnd, 0};
    const IoResult filled = FillFilter();
    if (filled.state != State::kDone) return filled;
  }
}

IoResult Transport::Send(std::span<const iovec> parts, bool more) {
  if (filter_ != nullptr) return SendEncoded(parts);
  size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  const ssize_t sent =
      Retry([&] { return sendmsg(fd_.get(), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0)); });
  if (sent < 0 && errno == EAGAIN) return {State::kBlocked, 0};
  if (sent < 0) return Broken(ErrnoText(errno));
  // A short write says that the descriptor is full: no further call is needed to learn it.
  const size_t bytes = static_cast<size_t>(sent);
  return {bytes < total ? State::kBlocked : State::kDone, bytes};
}

IoResult Transport::Encode(std::string_view plain) {
  const absl::Status status = filter_->PutPlain(plain);
  if (!status.ok()) return Broken(std::string(status.message()));
  filter_->TakeEncoded(encoded_);
  const IoResult flushed = Flush();
  return flushed.state == State::kBroken ? flushed : IoResult{State::kDone, plain.size()};
}

// Short parts that lie between long ones share a chunk, and so a record and a system call: copying them costs
// less than either.
IoResult Transport::SendEncoded(std::span<const iovec> parts) {
  std::string gathered;
  size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  gathered.reserve(std::min(total, kChunkBytes));
  size_t taken = 0;
  for (const iovec& part : parts) {
    const std::string_view bytes(static_cast<const char*>(part.iov_base), part.iov_len);
    for (size_t done = 0; done < bytes.size();) {
      if (waiting() >= kEncodedBytesMax) return {State::kBlocked, taken};
      const std::string_view chunk = bytes.substr(done, kChunkBytes - gathered.size());
      done += chunk.size();
      const bool whole = chunk.size() == kChunkBytes;
      if (!whole && gathered.append(chunk).size() < kChunkBytes) continue;
      const IoResult encoded = Encode(whole ? chunk : gathered);
      if (encoded.state != State::kDone) return encoded;
      taken += encoded.bytes;
      gathered.clear();
    }
  }
  if (gathered.empty()) return {State::kDone, taken};
  const IoResult encoded = Encode(gathered);
  return encoded.state == State::kDone ? IoResult{State::kDone, taken + encoded.bytes} : encoded;
}

IoResult Transport::SendFile(const ReadableFile& file, uint64_t offset, size_t size) {
  if (filter_ != nullptr) {
    std::array<char, kChunkBytes> chunk;
    if (waiting() >= kEncodedBytesMax) return {State::kBlocked, 0};
    const ssize_t got = Retry([&] {
      return pread(file.fd.get(), chunk.data(), std::min(size, chunk.size()), static_cast<off_t>(offset));
    });
    if (got <= 0) {
      error_ = Unreadable(file, offset, got);
      return {State::kUnreadable, 0};
    }
    const iovec part{chunk.data(), static_cast<size_t>(got)};
    return SendEncoded({&part, 1});
  }
  off_t at = static_cast<off_t>(offset);
  const ssize_t sent = Retry([&] { return sendfile(fd_.get(), file.fd.get(), &at, size); });
  if (sent > 0) return {State::kDone, static_cast<size_t>(sent)};
  if (sent < 0 && errno == EAGAIN) return {State::kBlocked, 0};
  if (sent < 0 && PeerGone(errno)) return Broken(ErrnoText(errno));
  error_ = Unreadable(file, offset, sent);
  return {State::kUnreadable, 0};
}

IoResult Transport::Flush() {
  while (encoded_sent_ < encoded_.size()) {
    const ssize_t sent = Retry([&] {
      return send(fd_.get(), encoded_.data() + encoded_sent_, encoded_.size() - encoded_sent_, MSG_NOSIGNAL);
    });
    if (sent < 0 && errno == EAGAIN) {
      encoded_.erase(0, std::exchange(encoded_sent_, 0));
      return {State::kBlocked, 0};
    }
    if (sent < 0) return Broken(ErrnoText(errno));
    encoded_sent_ += static_cast<size_t>(sent);
  }
  encoded_.clear();
  encoded_sent_ = 0;
  return {State::kDone, 0};
}

IoResult Transport::End() {
  if (filter_ == nullptr) return {State::kDone, 0};
  filter_->End();
  filter_->TakeEncoded(encoded_);
  return Flush();
}

bool Transport::HasUnread() const {
  char probe = 0;
  return recv(fd_.get(), &probe, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace bt::net
