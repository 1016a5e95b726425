// The tracker as a process: what it prints, refuses and survives.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "core/wal/format.h"
#include "net/http/client.h"
#include "net/socket.h"

extern char** environ;

namespace bt::nodes {
namespace {

constexpr Duration kPatience = Seconds(30);
constexpr const char* kTracker = "nodes/bytetorrent-tracker";

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class Process {
 public:
  Process(const std::vector<std::string>& arguments, const std::string& name)
      : out_(std::string(std::getenv("TEST_TMPDIR")) + "/" + name + ".out"), err_(out_ + ".err") {
    std::vector<char*> argv;
    argv.push_back(const_cast<char*>(kTracker));
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&actions, 2, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    EXPECT_EQ(posix_spawn(&pid_, kTracker, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (status_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void Signal(int number) { ::kill(pid_, number); }
  int Wait() {
    const Instant end = net::Loop::ReadClock() + kPatience;
    while (!status_ && net::Loop::ReadClock() < end) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      } else {
        ::usleep(2000);
      }
    }
    return status_.value_or(-1);
  }
  std::string out() const { return ReadFile(out_); }
  std::string err() const { return ReadFile(err_); }
  // Where clients connect, once the process says so.
  std::optional<Address> ClientAddress() {
    return AddressIn([this] { return out(); }, ",");
  }
  // The address of the first http:// in what it says that stands before `behind`.
  std::optional<Address> AddressIn(const std::function<std::string()>& words, const std::string& behind) {
    const Instant end = net::Loop::ReadClock() + kPatience;
    while (net::Loop::ReadClock() < end) {
      const std::string text = words();
      const size_t at = text.find("http://");
      if (at != std::string::npos && text.find(behind, at) != std::string::npos) {
        return Address::Parse(text.substr(at + 7, text.find(behind, at) - at - 7));
      }
      ::usleep(2000);
    }
    return std::nullopt;
  }

 private:
  const std::string out_;
  const std::string err_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

std::string Directory(const std::string& name) {
  return std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
}

std::vector<std::string> With(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The flags of a cluster of one, whose directory is initialised when it is first named.
std::vector<std::string> Alone(const std::string& directory, const std::string& client = "127.0.0.1:0") {
  const std::vector<std::string> flags = {"--node", "1=127.0.0.1:0/" + client, "--data-dir",
                                          Directory(directory)};
  if (!std::filesystem::exists(Directory(directory))) {
    Process init(With({"init"}, flags), directory + ".init");
    EXPECT_EQ(init.Wait(), 0) << init.err();
  }
  return flags;
}

net::HttpResponse Get(const Address& address, const std::string& target) {
  net::Loop loop;
  net::HttpClient client(loop);
  net::HttpRequest request;
  request.method = "GET";
  request.target = target;
  net::HttpResponse response;
  client.Send(address, request, kPatience, [&](absl::StatusOr<net::HttpResponse> result) {
    EXPECT_TRUE(result.ok()) << result.status();
    if (result.ok()) response = *std::move(result);
    loop.Stop();
  });
  loop.Run();
  return response;
}

// One line on stderr (or none), without a stack of anything.
size_t Lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(TrackerProcess, AloneItBecomesHealthyAnswersAndStopsInOrder) {
  Process tracker(Alone("alone"), "alone");
  const auto address = tracker.ClientAddress();
  ASSERT_TRUE(address.has_value()) << tracker.err();
  const Instant end = net::Loop::ReadClock() + kPatience;
  while (Get(*address, "/readyz").status != 200) ASSERT_LT(net::Loop::ReadClock(), end);
  EXPECT_NE(Get(*address, "/status").body.find("\"role\":\"leader\""), std::string::npos);
  EXPECT_NE(Get(*address, "/metrics").body.find("bytetorrent_role{role=\"leader\"} 1"), std::string::npos);
  EXPECT_NE(Get(*address, "/").body.find("<title>ByteTorrent"), std::string::npos);
  const std::string cluster = Get(*address, "/cluster").body;
  EXPECT_NE(cluster.find("\"members\":[{\"id\":1,\"kind\":\"voter\",\"connected\":true"), std::string::npos)
      << cluster;
  EXPECT_NE(cluster.find("\"lag\":0"), std::string::npos) << cluster;
  tracker.Signal(SIGTERM);
  EXPECT_EQ(tracker.Wait(), 0);
}

TEST(TrackerProcess, ItsMetricsTellOfTheDiskTheProcessAndTheLeadership) {
  Process tracker(Alone("metrics"), "metrics");
  const auto address = tracker.ClientAddress();
  ASSERT_TRUE(address.has_value()) << tracker.err();
  const Instant end = net::Loop::ReadClock() + kPatience;
  while (Get(*address, "/readyz").status != 200) ASSERT_LT(net::Loop::ReadClock(), end);
  const std::string text = Get(*address, "/metrics").body;
  const auto value = [&text](const std::string& name) {
    const size_t at = text.find("\n" + name + " ");
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? -1.0 : std::stod(text.substr(at + name.size() + 2));
  };
  // It has become the leader, and what it promised itself is durable.
  EXPECT_EQ(value("bytetorrent_leader_changes_total"), 1);
  EXPECT_GE(value("bytetorrent_journal_sync_seconds_count"), 1);
  EXPECT_EQ(value("bytetorrent_journal_sync_seconds_count"),
            value("bytetorrent_journal_sync_seconds_bucket{le=\"+Inf\"}"));
  EXPECT_GT(value("bytetorrent_journal_sync_seconds_sum"), 0);
  const auto segment = Directory("metrics") + "/" + wal::SegmentFileName(WriteSeq(1));
  EXPECT_GE(value("bytetorrent_step_seconds_count"), 1);
  EXPECT_EQ(value("bytetorrent_step_seconds_count"), value("bytetorrent_step_seconds_bucket{le=\"+Inf\"}"));
  EXPECT_GT(value("bytetorrent_step_seconds_highest"), 0);
  EXPECT_GE(value("bytetorrent_step_seconds_sum"), value("bytetorrent_step_seconds_highest"));
  EXPECT_EQ(value("bytetorrent_held_values"), 0);
  EXPECT_EQ(value("bytetorrent_limit{table=\"agreed\",name=\"claims\"}"), 2'097'152);
  EXPECT_EQ(value("bytetorrent_limit_use{table=\"agreed\",name=\"claims\"}"), 0);
  EXPECT_EQ(value("bytetorrent_limit_use_highest{table=\"agreed\",name=\"claims\"}"), 0);
  EXPECT_GE(value("bytetorrent_limit_use_highest{table=\"own\",name=\"connections_per_address\"}"), 1);
  EXPECT_GE(value("bytetorrent_limit_use_highest{table=\"own\",name=\"memory\"}"),
            value("bytetorrent_limit_use{table=\"own\",name=\"memory\"}"));
  EXPECT_EQ(value("bytetorrent_journal_bytes"), std::filesystem::file_size(segment));
  EXPECT_GT(value("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(value("process_cpu_seconds_total"), 0);
  EXPECT_GT(value("process_open_fds"), 5);
  EXPECT_GT(value("process_max_fds"), value("process_open_fds"));
  EXPECT_GE(value("bytetorrent_registry_digest"), 0);
  EXPECT_NE(text.find("\nbytetorrent_build_info{version=\""), std::string::npos);
}

TEST(TrackerProcess, GarbageIsCountedAndDropped) {
  Process tracker(Alone("garbage"), "garbage");
  const auto address = tracker.ClientAddress();
  ASSERT_TRUE(address.has_value());
  absl::StatusOr<net::Fd> fd = net::StartConnect(*address);
  ASSERT_TRUE(fd.ok());
  const std::string garbage =
      "\x13"
      "BitTorrent protocol\r\n\r\n";
  while (::send(fd->get(), garbage.data(), garbage.size(), MSG_NOSIGNAL) < 0) ::usleep(1000);
  const Instant end = net::Loop::ReadClock() + kPatience;
  while (Get(*address, "/metrics").body.find("{why=\"garbage\"} 1") == std::string::npos) {
    ASSERT_LT(net::Loop::ReadClock(), end);
  }
}

TEST(TrackerProcess, TheSecondOnADataDirectoryIsRefused) {
  Process first(Alone("shared"), "first");
  ASSERT_TRUE(first.ClientAddress().has_value());
  Process second(Alone("shared"), "second");
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_EQ(Lines(second.err()), 1u) << second.err();
  EXPECT_NE(second.err().find(Directory("shared")), std::string::npos);
}

TEST(TrackerProcess, APortInUseIsNamed) {
  Process first(Alone("port1"), "port1");
  const auto address = first.ClientAddress();
  ASSERT_TRUE(address.has_value());
  Process second(Alone("port2", address->ToString()), "port2");
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_NE(second.err().find(address->ToString()), std::string::npos) << second.err();
}

TEST(TrackerProcess, TheDataDirectoryOfAnotherNodeIsRefused) {
  Alone("foreign");
  Process other({"--node", "2=127.0.0.1:0/127.0.0.1:0", "--data-dir", Directory("foreign")}, "foreign2");
  EXPECT_EQ(other.Wait(), 1);
  EXPECT_NE(other.err().find("belongs to node 1, not to node 2"), std::string::npos) << other.err();
  Process again(Alone("foreign"), "foreign1");
  EXPECT_TRUE(again.ClientAddress().has_value()) << again.err();
}

TEST(TrackerProcess, ANodeMayMoveToAnotherAddress) {
  const std::vector<std::string> flags = Alone("moved");
  const uint16_t port = Process(flags, "moved1").ClientAddress().value_or(Address()).port;
  ASSERT_NE(port, 0);
  Process moved({"--node", "1=127.0.0.1:0/127.0.0.2:0", "--data-dir", Directory("moved")}, "moved2");
  EXPECT_TRUE(moved.ClientAddress().has_value()) << moved.err();
}

// The "nodes" of a status: what the node tells clients to connect to.
std::string NamedNodes(const Address& address) {
  const std::string body = Get(Address::V4(127, 0, 0, 1, address.port), "/status").body;
  const size_t at = body.find("\"nodes\":");
  return at == std::string::npos ? "none" : body.substr(at, body.find(']', at) + 1 - at);
}

TEST(TrackerProcess, AnAddressThatMeansAllAddressesIsNeverToldToClients) {
  for (const std::string host : {"0.0.0.0", "[::]"}) {
    Process tracker(Alone("anywhere" + host, host + ":0"), "anywhere" + host);
    const auto address = tracker.ClientAddress();
    ASSERT_TRUE(address.has_value()) << tracker.err();
    EXPECT_EQ(NamedNodes(*address), "\"nodes\":[]");
    EXPECT_NE(tracker.err().find("--advertise"), std::string::npos) << tracker.err();
  }
}

TEST(TrackerProcess, ClientsAreToldTheAddressThatIsAdvertisedNotTheOneThatIsListenedOn) {
  Process tracker(With(Alone("advertised", "0.0.0.0:0"), {"--advertise", "tracker.example:6969"}),
                  "advertised");
  const auto address = tracker.ClientAddress();
  ASSERT_TRUE(address.has_value()) << tracker.err();
  EXPECT_EQ(NamedNodes(*address), "\"nodes\":[{\"id\":1,\"client\":\"tracker.example:6969\"}]");
}

TEST(TrackerProcess, AHostOfItsOwnThatIsUnknownIsNamed) {
  Process tracker(Alone("unknown", "no-such-host.invalid:0"), "unknown");
  EXPECT_EQ(tracker.Wait(), 1);
  EXPECT_NE(tracker.err().find("'no-such-host.invalid'"), std::string::npos) << tracker.err();
}

TEST(TrackerProcess, ADirectoryThatWasNotInitialisedIsRefusedAndLeftAlone) {
  std::filesystem::create_directory(Directory("unmounted"));
  for (const char* name : {"unmounted", "absent"}) {
    Process tracker({"--node", "1=127.0.0.1:0/127.0.0.1:0", "--data-dir", Directory(name)}, name);
    EXPECT_EQ(tracker.Wait(), 1);
    EXPECT_EQ(Lines(tracker.err()), 1u) << tracker.err();
    EXPECT_NE(tracker.err().find(Directory(name)), std::string::npos) << tracker.err();
    EXPECT_NE(tracker.err().find("bytetorrent-tracker init"), std::string::npos) << tracker.err();
  }
  EXPECT_TRUE(std::filesystem::is_empty(Directory("unmounted")));
  EXPECT_FALSE(std::filesystem::exists(Directory("absent")));
}

// A segment that is a pipe nobody writes to is a journal that takes for ever to read.
TEST(TrackerProcess, WhileItRecoversItAnswersThatAtOnceAndASignalEndsItAtOnce) {
  const std::vector<std::string> flags = Alone("slow");
  const std::string journal = Directory("slow") + "/" + wal::SegmentFileName(WriteSeq(1));
  ASSERT_TRUE(std::filesystem::remove(journal));
  ASSERT_EQ(::mkfifo(journal.c_str(), 0600), 0);
  for (const int signal : {SIGTERM, SIGINT}) {
    Process tracker(flags, "slow" + std::to_string(signal));
    const auto address = tracker.AddressIn([&] { return tracker.err(); }, " meanwhile");
    ASSERT_TRUE(address.has_value()) << tracker.err();
    EXPECT_NE(tracker.err().find("recovers"), std::string::npos) << tracker.err();
    EXPECT_EQ(Get(*address, "/healthz").status, 200);
    for (const char* target : {"/readyz", "/status", "/torrents", "/metrics"}) {
      const net::HttpResponse answer = Get(*address, target);
      EXPECT_EQ(answer.status, 503) << target;
      EXPECT_NE(answer.body.find("recovering"), std::string::npos) << answer.body;
      EXPECT_FALSE(answer.Header("Retry-After").empty()) << target;
    }
    const Instant asked = net::Loop::ReadClock();
    tracker.Signal(signal);
    EXPECT_EQ(tracker.Wait(), 0);
    EXPECT_LT(net::Loop::ReadClock() - asked, Seconds(1));
  }
}

// What a service manager hears, at a socket of our own that is no file.
TEST(TrackerProcess, TheServiceManagerIsToldWhenItServesAndWhenItIsToldToStop) {
  const net::Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "@bytetorrent-test-" + std::to_string(::getpid());
  std::copy(name.begin() + 1, name.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  const timeval patience{.tv_sec = kPatience.seconds(), .tv_usec = 0};
  ::setsockopt(manager.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto heard = [&] {
    std::string words(64, '\0');
    const ssize_t got = ::recv(manager.get(), words.data(), words.size(), 0);
    words.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return words;
  };
  const std::vector<std::string> flags = Alone("managed");
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  Process tracker(flags, "managed");
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(heard(), "READY=1");
  tracker.Signal(SIGTERM);
  EXPECT_EQ(heard(), "STOPPING=1");
  EXPECT_EQ(tracker.Wait(), 0);
}

TEST(TrackerProcess, ItsLinesAreJsonWhenThatIsAskedFor) {
  Process tracker(With(Alone("json"), {"--log-format", "json"}), "json");
  ASSERT_TRUE(tracker.ClientAddress().has_value()) << tracker.err();
  tracker.Signal(SIGTERM);
  EXPECT_EQ(tracker.Wait(), 0);
  std::istringstream lines(tracker.err());
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(line.starts_with("{\"time\":\"20") && line.ends_with("\"}")) << line;
  }
  EXPECT_GE(count, 1u);
}

TEST(TrackerProcess, ALostJournalIsSaidNotReplaced) {
  const std::vector<std::string> flags = Alone("lost");
  const std::string journal = Directory("lost") + "/" + wal::SegmentFileName(WriteSeq(1));
  ASSERT_TRUE(std::filesystem::remove(journal));
  Process tracker(flags, "lost");
  EXPECT_EQ(tracker.Wait(), 1);
  EXPECT_NE(tracker.err().find("has lost its journal"), std::string::npos) << tracker.err();
  EXPECT_FALSE(std::filesystem::exists(journal));
}

TEST(TrackerProcess, WithoutNodesItBeginsByItselfOnlyWhereNoDirectoryIs) {
  Process fresh({"--data-dir", Directory("embedded")}, "embedded1");
  const Instant end = net::Loop::ReadClock() + kPatience;
  // Its port may be another program's here: what counts is that it said what it made.
  while (fresh.err().find("begins in " + Directory("embedded")) == std::string::npos) {
    ASSERT_LT(net::Loop::ReadClock(), end) << fresh.err();
    ::usleep(2000);
  }
  std::filesystem::create_directory(Directory("emptied"));
  Process emptied({"--data-dir", Directory("emptied")}, "embedded2");
  EXPECT_EQ(emptied.Wait(), 1);
  EXPECT_NE(emptied.err().find("holds no node's state"), std::string::npos) << emptied.err();
}

TEST(TrackerProcess, WrongFlagsGetOneLineAndStatus2) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--bogus"},
      {"--node", "1"},
      {"--node", "0=127.0.0.1:1/127.0.0.1:2"},
      {"--node", "x=127.0.0.1:1/127.0.0.1:2"},
      {"--node", "1=127.0.0.1:1/127.0.0.1"},
      {"--node", "1=127.0.0.1:1/127.0.0.1:99999"},
      {"--id", "2", "--node", "1=127.0.0.1:1/127.0.0.1:2"},
      {"--node", "1=127.0.0.1:1/127.0.0.1:2", "--node", "2=127.0.0.1:3/127.0.0.1:4"},
      {"--id", "1", "--node", "1=127.0.0.1:0/127.0.0.1:2", "--node", "2=127.0.0.1:3/127.0.0.1:4"},
      {"--node", "1=127.0.0.1:1/127.0.0.1:2", "--node", "1=127.0.0.1:3/127.0.0.1:4"},
      {"--advertise", "tracker.example"},
      {"--advertise", "tracker.example:0"},
      {"--advertise", "0.0.0.0:6969"},
      {"--log-format", "xml"},
      {"--data-dir", ""},
      {"--data-dir="},
      {""},
      {"init", "--cluster-secret", ""},
      {"init", "--id", "1", "--node", "1=127.0.0.1:1/127.0.0.1:2", "--node", "2=127.0.0.1:3/127.0.0.1:4"},
      {"--cluster-secret", "file"},
      {"begin"},
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    Process tracker(wrong[i], "wrong" + std::to_string(i));
    EXPECT_EQ(tracker.Wait(), 2) << i;
    EXPECT_EQ(Lines(tracker.err()), 1u) << tracker.err();
  }
}

TEST(TrackerProcess, HelpShowsAnExample) {
  Process tracker({"--help"}, "help");
  EXPECT_EQ(tracker.Wait(), 0);
  EXPECT_NE(tracker.out().find("--node 1=10.0.0.1:7000/10.0.0.1:6969"), std::string::npos);
}

}  // namespace
}  // namespace bt::nodes
