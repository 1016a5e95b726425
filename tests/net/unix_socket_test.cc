#include "net/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace bt::net {
namespace {

class UnixSocket : public testing::Test {
 protected:
  UnixSocket() {
    char text[] = "/tmp/unix_socket_testXXXXXX";
    directory_ = ::mkdtemp(text);
  }
  ~UnixSocket() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(UnixSocket, WhoIsLetInConnectsAndNobodyElseIs) {
  const std::string path = directory_ + "/socket";
  const absl::StatusOr<Listener> listener = ListenUnix(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(ConnectUnix(path, Seconds(5)).ok());
  struct stat there {};
  ASSERT_EQ(::stat(path.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777u, 0700u);
}

TEST_F(UnixSocket, APathMayBeLongerThanASocketsAddress) {
  const std::string deep = directory_ + "/" + std::string(120, 'd');
  ASSERT_TRUE(std::filesystem::create_directory(deep));
  const std::string path = deep + "/socket";
  const absl::StatusOr<Listener> listener = ListenUnix(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(std::filesystem::is_socket(path));
  EXPECT_TRUE(ConnectUnix(path, Seconds(5)).ok());
}

TEST_F(UnixSocket, ASocketThatWasLeftBehindIsReplacedAndAFileIsNot) {
  const std::string path = directory_ + "/socket";
  ASSERT_TRUE(ListenUnix(path).ok());
  EXPECT_TRUE(absl::IsUnavailable(ConnectUnix(path, Seconds(5)).status()));
  const absl::StatusOr<Listener> again = ListenUnix(path);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(ConnectUnix(path, Seconds(5)).ok());
  const std::string file = directory_ + "/file";
  std::ofstream(file) << "mine";
  EXPECT_TRUE(absl::IsInvalidArgument(ListenUnix(file).status()));
  EXPECT_TRUE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace bt::net
