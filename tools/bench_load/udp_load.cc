// udp_load: as many announces over UDP (BEP 15) as the servers answer, from one thread, over some sockets,
// each with a number of announces that are not answered yet. For tools/bench only. Prints one line of JSON.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench_load/arguments.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kAnnounceBytes = 98;
constexpr size_t kAnswerBytes = 2048;
constexpr size_t kDepthMax = 64;
constexpr auto kLostAfter = std::chrono::milliseconds(500);  // a socket without an answer asks anew

struct Options {
  std::vector<sockaddr_in> targets;
  int sockets = 16;
  size_t depth = 32;
  double seconds = 5;
  uint32_t wanted = 50;
  std::string info_hash;  // 20 bytes
};

[[noreturn]] void Usage(const char* why) {
  std::fprintf(stderr,
               "udp_load: %s\nusage: udp_load --target=IP:PORT... --torrent=INFO_HASH [--connections=N] "
               "[--pipeline=N] [--wanted=N] [--seconds=S]\n",
               why);
  std::exit(2);
}

void Store(char* at, uint64_t value, int width) {
  for (int i = width - 1; i >= 0; --i, value >>= 8) at[i] = static_cast<char>(value & 0xff);
}
uint64_t Load(const char* at, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i) value = value << 8 | static_cast<uint8_t>(at[i]);
  return value;
}

class Asker {
 public:
  Asker(const Options& options, int number) : options_(options), number_(static_cast<uint32_t>(number)) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto& target = options.targets[static_cast<size_t>(number) % options.targets.size()];
    if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) {
      std::perror("udp_load: socket");
      std::exit(1);
    }
  }
  int fd() const { return fd_; }
  uint64_t answered() const { return answered_; }
  uint64_t errors() const { return errors_; }
  uint64_t lost() const { return lost_; }

  void Connect() {
    char bytes[16];
    Store(bytes, 0x41727101980, 8);
    Store(bytes + 8, 0, 4);
    Store(bytes + 12, number_, 4);
    (void)!send(fd_, bytes, sizeof bytes, 0);
    asked_at_ = Clock::now();
  }

  void Receive() {
    mmsghdr headers[kDepthMax];
    iovec parts[kDepthMax];
    for (size_t i = 0; i < kDepthMax; ++i) {
      parts[i] = {answers_.data() + i * kAnswerBytes, kAnswerBytes};
      headers[i].msg_hdr = {.msg_name = nullptr,
                            .msg_namelen = 0,
                            .msg_iov = &parts[i],
                            .msg_iovlen = 1,
                            .msg_control = nullptr,
                            .msg_controllen = 0,
                            .msg_flags = 0};
    }
    const int count = recvmmsg(fd_, headers, kDepthMax, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; ++i) Take({static_cast<const char*>(parts[i].iov_base), headers[i].msg_len});
    if (count > 0) Announce();
  }

  void AskAnewIfLost(Clock::time_point now) {
    if (now - asked_at_ < kLostAfter) return;
    lost_ += waiting_;
    waiting_ = 0;
    connection_ == 0 ? Connect() : Announce();
  }

 private:
  void Take(std::string_view answer) {
    if (answer.size() < 8) return;
    const uint64_t action = Load(answer.data(), 4);
    if (action == 0 && answer.size() >= 16) {
      connection_ = Load(answer.data() + 8, 8);
      return;
    }
    if (waiting_ > 0) --waiting_;
    ++(action == 1 ? answered_ : errors_);
  }

  void Announce() {
    if (connection_ == 0) return;
    mmsghdr headers[kDepthMax];
    iovec parts[kDepthMax];
    size_t count = 0;
    for (; waiting_ + count < options_.depth; ++count) {
      char* bytes = requests_.data() + count * kAnnounceBytes;
      const uint64_t peer = sequence_++ % 4000 + number_ * 4000;
      Store(bytes, connection_, 8);
      Store(bytes + 8, 1, 4);
      Store(bytes + 12, sequence_, 4);
      std::memcpy(bytes + 16, options_.info_hash.data(), 20);
      std::snprintf(bytes + 36, 21, "-BN0001-%012llu", static_cast<unsigned long long>(peer));
      std::memset(bytes + 56, 0, 32);
      Store(bytes + 88, peer, 4);
      Store(bytes + 92, options_.wanted, 4);
      Store(bytes + 96, 10000 + sequence_ % 4000, 2);
      parts[count] = {bytes, kAnnounceBytes};
      headers[count].msg_hdr = {.msg_name = nullptr,
                                .msg_namelen = 0,
                                .msg_iov = &parts[count],
                                .msg_iovlen = 1,
                                .msg_control = nullptr,
                                .msg_controllen = 0,
                                .msg_flags = 0};
    }
    if (count == 0) return;
    const int sent = sendmmsg(fd_, headers, static_cast<unsigned>(count), MSG_DONTWAIT);
    if (sent > 0) waiting_ += static_cast<size_t>(sent);
    asked_at_ = Clock::now();
  }

  const Options& options_;
  const uint32_t number_;
  int fd_;
  uint64_t connection_ = 0;
  uint64_t sequence_ = 0;
  size_t waiting_ = 0;
  Clock::time_point asked_at_;
  uint64_t answered_ = 0;
  uint64_t errors_ = 0;
  uint64_t lost_ = 0;
  std::vector<char> answers_ = std::vector<char>(kDepthMax * kAnswerBytes);
  std::vector<char> requests_ = std::vector<char>(kDepthMax * kAnnounceBytes);
};

void Run(const Options& options) {
  std::vector<std::unique_ptr<Asker>> askers;
  std::vector<pollfd> polled;
  for (int i = 0; i < options.sockets; ++i) {
    askers.push_back(std::make_unique<Asker>(options, i));
    polled.push_back({askers.back()->fd(), POLLIN, 0});
    askers.back()->Connect();
  }
  const auto started = Clock::now();
  const auto end =
      started + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  auto now = started;
  for (; now < end; now = Clock::now()) {
    poll(polled.data(), polled.size(), 100);
    for (size_t i = 0; i < askers.size(); ++i) {
      if (polled[i].revents != 0) askers[i]->Receive();
      askers[i]->AskAnewIfLost(now);
    }
  }
  uint64_t answered = 0;
  uint64_t errors = 0;
  uint64_t lost = 0;
  for (const auto& asker : askers) {
    answered += asker->answered();
    errors += asker->errors();
    lost += asker->lost();
  }
  const double seconds = std::chrono::duration<double>(now - started).count();
  std::printf(
      "{\"answered\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, \"errors\": %llu, \"lost\": %llu}\n",
      static_cast<unsigned long long>(answered), seconds, static_cast<double>(answered) / seconds,
      static_cast<unsigned long long>(errors), static_cast<unsigned long long>(lost));
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const Argument argument(argv[i]);
    const auto& [name, value] = argument;
    if (name == "--target") {
      const std::optional<sockaddr_in> target = ParseTarget(value);
      if (!target) Usage("--target wants IP:PORT");
      options.targets.push_back(*target);
    } else if (name == "--torrent") {
      for (size_t j = 0; j + 1 < value.size(); j += 2)
        options.info_hash.push_back(static_cast<char>(std::strtol(value.substr(j, 2).c_str(), nullptr, 16)));
    } else if (name == "--connections") {
      options.sockets = std::atoi(value.c_str());
    } else if (name == "--pipeline") {
      options.depth = static_cast<size_t>(std::atoi(value.c_str()));
    } else if (name == "--wanted") {
      options.wanted = static_cast<uint32_t>(std::atoi(value.c_str()));
    } else if (name == "--seconds") {
      options.seconds = std::atof(value.c_str());
    } else {
      Usage(("unknown argument " + name).c_str());
    }
  }
  if (options.targets.empty()) Usage("--target is missing");
  if (options.info_hash.size() != 20) Usage("--torrent wants 40 hexadecimal digits");
  if (options.sockets < 1 || options.depth < 1 || options.depth > kDepthMax)
    Usage("--connections wants at least 1, --pipeline 1 to 64");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Run(Parse(argc, argv));
  return 0;
}
