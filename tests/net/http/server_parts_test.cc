// Answers whose bodies come in parts.

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "net/http/server.h"
#include "tests/net/http/server_fixture.h"

namespace bt::net {
namespace {

// An answer whose body is a file, given in parts.
class HttpServerPartsTest : public HttpServerTest {
 protected:
  static constexpr uint64_t kPart = 100'000;

  void ServeFile(uint64_t length) {
    Serve();
    for (uint64_t i = 0; i < length; ++i) bytes_.push_back(static_cast<char>('a' + i * i % 23));
    WriteFile(directory_ / "file", bytes_);
    file_ = std::make_shared<ReadableFile>(
        ReadableFile{Fd(::open((directory_ / "file").c_str(), O_RDONLY | O_CLOEXEC)), "file"});
    server_->OnMore([this](HttpExchange exchange) {
      ++asked_;
      if (given_ < most_) Give(exchange);
    });
  }
  void Give(HttpExchange exchange) {
    const uint64_t part = std::min<uint64_t>(kPart, bytes_.size() - given_);
    server_->ReplyPart(exchange, {file_, std::exchange(given_, given_ + part), part});
  }
  void ReplyWithFile() {
    HttpResponse response;
    response.body_in_parts = bytes_.size();
    server_->Reply(waiting_.at(0), response);
  }

  TemporaryDirectory directory_;
  std::string bytes_;
  std::shared_ptr<const ReadableFile> file_;
  uint64_t given_ = 0;
  uint64_t most_ = UINT64_MAX;  // given without being told to
  int asked_ = 0;
};

TEST_F(HttpServerPartsTest, ABodyGoesOutInPartsAndWhatIsAnsweredBehindItWaits) {
  ServeFile(1'000'001);
  const Fd fd = Connect();
  Write(fd, "GET /later HTTP/1.1\r\n\r\nGET /behind HTTP/1.1\r\nConnection: close\r\n\r\n");
  Until([&] { return waiting_.size() == 1; });
  ReplyWithFile();
  const std::string text = ReadToEnd(fd);
  EXPECT_NE(text.find("Content-Length: 1000001\r\n"), std::string::npos);
  const size_t body = text.find("\r\n\r\n") + 4;
  EXPECT_TRUE(text.substr(body, bytes_.size()) == bytes_);
  EXPECT_EQ(text.substr(body + bytes_.size(), 8), "HTTP/1.1");
  EXPECT_EQ(Count(text, "/behind"), 1u);
  EXPECT_EQ(asked_, 11);
  EXPECT_TRUE(gone_.empty());
}

TEST_F(HttpServerPartsTest, NoPartIsAskedForBehindAnAnswerThatIsMissingStillNorForHead) {
  ServeFile(300'000);
  const Fd fd = Connect();
  Write(fd, "GET /later HTTP/1.1\r\n\r\nGET /later HTTP/1.1\r\n\r\n");
  Until([&] { return waiting_.size() == 2; });
  std::swap(waiting_[0], waiting_[1]);
  ReplyWithFile();  // the second one
  for (int i = 0; i < 5; ++i) loop_.RunOnce(Milliseconds(1));
  EXPECT_EQ(asked_, 0);
  server_->Reply(waiting_[1], Text("first"));
  const std::string text = ReadUntil(fd, [&](const std::string& t) { return t.ends_with(bytes_); });
  EXPECT_LT(text.find("first"), text.find("Content-Length: 300000"));

  waiting_.clear();
  const Fd head = Connect();
  Write(head, "HEAD /later HTTP/1.1\r\nConnection: close\r\n\r\n");
  Until([&] { return waiting_.size() == 1; });
  const int before = asked_;
  ReplyWithFile();
  const std::string answer = ReadToEnd(head);
  EXPECT_NE(answer.find("Content-Length: 300000\r\n"), std::string::npos);
  EXPECT_NE(answer.find("\r\n\r\n<eof>"), std::string::npos);
  EXPECT_EQ(asked_, before);
}

TEST_F(HttpServerPartsTest, AReaderThatGoesAwayOrIsAbortedIsToldAsGone) {
  ServeFile(300'000);
  most_ = kPart;
  Fd fd = Connect();
  Write(fd, "GET /later HTTP/1.1\r\n\r\n");
  Until([&] { return waiting_.size() == 1; });
  ReplyWithFile();
  Until([&] { return asked_ == 2; });  // all that was given is taken, and the next part does not come
  const linger reset{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  fd.Reset();
  Until([&] { return gone_ == waiting_; });
  ASSERT_EQ(gone_.size(), 1u);

  given_ = 0;
  waiting_.clear();
  const Fd cut = Connect();
  Write(cut, "GET /later HTTP/1.1\r\n\r\n");
  Until([&] { return waiting_.size() == 1; });
  ReplyWithFile();
  Until([&] { return asked_ == 4; });
  server_->Abort(waiting_[0]);
  EXPECT_EQ(gone_.back(), waiting_[0]);
  EXPECT_EQ(server_->open_connections(), 0u);
  EXPECT_NE(ReadToEnd(cut).find("<eof>"), std::string::npos);
}

}  // namespace
}  // namespace bt::net
