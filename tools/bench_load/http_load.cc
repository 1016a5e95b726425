// http_load: as many HTTP requests as the servers answer, from one thread, over many connections, pipelined.
// For tools/bench only. Prints one line of JSON: what was answered, how fast, how late.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench_load/arguments.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = 64 * 1024;

struct Options {
  std::vector<sockaddr_in> targets;
  int connections = 64;
  int pipeline = 1;
  double seconds = 5;
  uint64_t peers = 4000;        // distinct ones; afterwards the same peers renew their claims
  std::string mode = "offers";  // offers, announces, etcd
  std::string torrent;          // content id for offers, 40 hex digits of an info-hash for announces
  bool close_each = false;      // a connection per request
};

[[noreturn]] void Usage(const char* why) {
  std::fprintf(
      stderr,
      "http_load: %s\nusage: http_load --target=IP:PORT... [--mode=offers|announces|etcd] [--torrent=ID]"
      " [--connections=N] [--pipeline=N] [--peers=N] [--seconds=S] [--close]\n",
      why);
  std::exit(2);
}

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(i + j > bytes.size() ? '=' : kDigits[group >> (18 - 6 * j) & 63]);
    }
  }
  return out;
}

// The n-th request of the run.
class Requests {
 public:
  explicit Requests(const Options& options) : options_(options) {
    for (size_t i = 0; i + 1 < options.torrent.size() && options.mode == "announces"; i += 2) {
      escaped_hash_ += "%" + options.torrent.substr(i, 2);
    }
  }

  void Append(std::string& out) {
    const uint64_t n = next_++ % options_.peers;
    char address[32];
    std::snprintf(address, sizeof address, "10.%d.%d.%d", static_cast<int>(n >> 16 & 255),
                  static_cast<int>(n >> 8 & 255), static_cast<int>(n & 255));
    if (options_.mode == "announces") {
      out += "GET /announce?info_hash=" + escaped_hash_ + "&peer_id=-BN0001-" + Padded(n, 12) +
             "&port=" + std::to_string(10000 + n % 50000) +
             "&uploaded=0&downloaded=0&left=0&compact=1&numwant=50 HTTP/1.1\r\nHost: b\r\n" + Ending();
      return;
    }
    std::string body;
    if (options_.mode == "etcd") {
      body = "{\"key\":\"" + Base64("claim/" + std::string(address)) + "\",\"value\":\"" +
             Base64(std::string(address) + ":6881 0-100") + "\"}";
    } else {
      body = "{\"peer\":\"" + std::string(address) + ":6881\",\"pieces\":[[0,1]]}";
    }
    const std::string target =
        options_.mode == "etcd" ? "/v3/kv/put" : "/torrents/" + options_.torrent + "/offers";
    out += "POST " + target + " HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + Ending() + body;
  }

 private:
  static std::string Padded(uint64_t n, int width) {
    char text[32];
    std::snprintf(text, sizeof text, "%0*llu", width, static_cast<unsigned long long>(n));
    return text;
  }
  std::string Ending() const { return options_.close_each ? "Connection: close\r\n\r\n" : "\r\n"; }

  const Options& options_;
  std::string escaped_hash_;
  uint64_t next_ = 0;
};

struct Connection {
  int fd = -1;
  size_t target = 0;
  std::string out;
  size_t out_sent = 0;
  std::string in;
  std::deque<Clock::time_point> asked;
  bool used = false;  // has carried a request
};

// Length of the first whole response in `in` and its status; 0 when it is not whole yet.
size_t WholeResponse(std::string_view in, int& status) {
  const size_t head = in.find("\r\n\r\n");
  if (head == std::string_view::npos || in.size() < 12) return 0;
  status = std::atoi(std::string(in.substr(9, 3)).c_str());
  size_t length = 0;
  for (size_t line = in.find("\r\n"); line < head; line = in.find("\r\n", line + 2)) {
    constexpr std::string_view kName = "content-length:";
    const std::string_view rest = in.substr(line + 2);
    if (rest.size() > kName.size() && strncasecmp(rest.data(), kName.data(), kName.size()) == 0) {
      length = std::strtoull(std::string(rest.substr(kName.size(), 20)).c_str(), nullptr, 10);
    }
  }
  const size_t whole = head + 4 + length;
  return in.size() >= whole ? whole : 0;
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options), requests_(options), epoll_(epoll_create1(0)) {}

  void Run() {
    for (int i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>());
      connections_.back()->target = i % options_.targets.size();
      Open(*connections_.back());
    }
    started_ = Clock::now();
    const auto end = started_ + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(options_.seconds));
    std::vector<epoll_event> events(512);
    while (Clock::now() < end) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        auto& connection = *static_cast<Connection*>(events[i].data.ptr);
        if (!Handle(connection, events[i].events)) Reopen(connection);
      }
    }
    ended_ = Clock::now();
  }

  void Print() {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const double seconds = std::chrono::duration<double>(ended_ - started_).count();
    std::printf(
        "{\"answered\": %zu, \"seconds\": %.3f, \"per_second\": %.0f, \"refused\": %llu, \"first_refusal\": "
        "%d, "
        "\"lost_connections\": %llu, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
        latencies_us_.size(), seconds, static_cast<double>(latencies_us_.size()) / seconds,
        static_cast<unsigned long long>(refused_), first_refusal_, static_cast<unsigned long long>(lost_),
        Percentile(50), Percentile(99), Percentile(100));
  }

 private:
  double Percentile(size_t percent) const {
    if (latencies_us_.empty()) return 0;
    return latencies_us_[(latencies_us_.size() - 1) * percent / 100] / 1000.0;
  }

  void Open(Connection& connection) {
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const sockaddr_in& target = options_.targets[connection.target];
    if (connect(connection.fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 &&
        errno != EINPROGRESS) {
      std::perror("http_load: connect");
      std::exit(1);
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    connection.in.clear();
    connection.out.clear();
    connection.out_sent = 0;
    connection.asked.clear();
    connection.used = false;
  }

  void Reopen(Connection& connection) {
    if (!connection.asked.empty() || !options_.close_each) ++lost_;
    close(connection.fd);
    Open(connection);
  }

  // False when the connection is over.
  bool Handle(Connection& connection, uint32_t events) {
    if (events & EPOLLERR) return false;
    if (!Receive(connection)) return false;
    if (options_.close_each && connection.used && connection.asked.empty()) return false;
    while (static_cast<int>(connection.asked.size()) < options_.pipeline &&
           !(options_.close_each && connection.used)) {
      requests_.Append(connection.out);
      connection.asked.push_back(Clock::now());
      connection.used = true;
    }
    return Transmit(connection);
  }

  bool Receive(Connection& connection) {
    char buffer[kReadBytes];
    while (true) {
      const ssize_t got = recv(connection.fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        connection.in.append(buffer, static_cast<size_t>(got));
        Consume(connection);
        continue;
      }
      if (got == 0) return false;
      return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
    }
  }

  void Consume(Connection& connection) {
    const auto now = Clock::now();
    size_t used = 0;
    while (!connection.asked.empty()) {
      int status = 0;
      const size_t whole = WholeResponse(std::string_view(connection.in).substr(used), status);
      if (whole == 0) break;
      used += whole;
      if (status >= 200 && status < 300) {
        latencies_us_.push_back(static_cast<uint32_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(now - connection.asked.front()).count()));
      } else {
        ++refused_;
        if (first_refusal_ == 0) first_refusal_ = status;
      }
      connection.asked.pop_front();
    }
    connection.in.erase(0, used);
  }

  static bool Transmit(Connection& connection) {
    while (connection.out_sent < connection.out.size()) {
      const ssize_t sent = send(connection.fd, connection.out.data() + connection.out_sent,
                                connection.out.size() - connection.out_sent, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      connection.out_sent += static_cast<size_t>(sent);
    }
    connection.out.clear();
    connection.out_sent = 0;
    return true;
  }

  const Options& options_;
  Requests requests_;
  int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> latencies_us_;
  uint64_t refused_ = 0;
  uint64_t lost_ = 0;
  int first_refusal_ = 0;
  Clock::time_point started_;
  Clock::time_point ended_;
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const Argument argument(argv[i]);
    const auto& [name, value] = argument;
    if (name == "--target") {
      const std::optional<sockaddr_in> target = ParseTarget(value);
      if (!target) Usage("--target wants IP:PORT");
      options.targets.push_back(*target);
    } else if (name == "--connections") {
      options.connections = std::atoi(value.c_str());
    } else if (name == "--pipeline") {
      options.pipeline = std::atoi(value.c_str());
    } else if (name == "--seconds") {
      options.seconds = std::atof(value.c_str());
    } else if (name == "--peers") {
      options.peers = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--mode") {
      options.mode = value;
    } else if (name == "--torrent") {
      options.torrent = value;
    } else if (name == "--close") {
      options.close_each = true;
    } else {
      Usage(("unknown argument " + name).c_str());
    }
  }
  if (options.targets.empty()) Usage("--target is missing");
  if (options.peers < 1) Usage("--peers wants at least 1");
  if (options.connections < 1 || options.pipeline < 1) Usage("--connections and --pipeline want at least 1");
  if (options.close_each) options.pipeline = 1;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  Load load(options);
  load.Run();
  load.Print();
  return 0;
}
