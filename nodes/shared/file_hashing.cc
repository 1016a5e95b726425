#include "nodes/shared/file_hashing.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

namespace bt::nodes {
namespace {

constexpr size_t kReadSize = 1 << 20;           // bytes read and hashed at a time
constexpr uint64_t kReadAhead = 8 << 20;        // bytes the kernel is asked to fetch ahead of each thread
constexpr uint64_t kParallelLength = 32 << 20;  // from here on a second thread pays
constexpr uint32_t kThreads = 2;

// The pieces of one file, handed out to threads one at a time, in order.
class FileHasher {
 public:
  FileHasher(const InputFile& file, uint32_t piece_length)
      : file_(file), piece_length_(piece_length), pieces_((file.size() + piece_length - 1) / piece_length) {}

  // 0 or the errno of a failed read; -1 for a file that ended early.
  int Run() {
    const uint32_t helpers = file_.size() >= kParallelLength ? kThreads - 1 : 0;
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < helpers; ++i) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    return error_;
  }
  const std::vector<PieceHashes>& pieces() const { return pieces_; }

 private:
  void Work() {
    PieceHasher hasher(file_.size(), piece_length_);
    std::string buffer(std::min<uint64_t>(kReadSize, file_.size()), '\0');
    for (size_t i = next_++; i < pieces_.size() && error_ == 0; i = next_++) {
      const uint64_t begin = uint64_t{i} * piece_length_;
      const uint64_t end = std::min<uint64_t>(begin + piece_length_, file_.size());
      if (const int error = HashRange(begin, end, buffer, hasher); error != 0) {
        error_ = error;
        return;
      }
      pieces_[i] = hasher.Finish();
    }
  }

  int HashRange(uint64_t begin, uint64_t end, std::string& buffer, PieceHasher& hasher) {
    posix_fadvise(file_.descriptor(), static_cast<off_t>(end), static_cast<off_t>(kReadAhead),
                  POSIX_FADV_WILLNEED);
    while (begin < end) {
      const size_t want = std::min<uint64_t>(buffer.size(), end - begin);
      const ssize_t got = pread(file_.descriptor(), buffer.data(), want, static_cast<off_t>(begin));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno;
      if (got == 0) return -1;
      hasher.Update(std::string_view(buffer.data(), static_cast<size_t>(got)));
      begin += static_cast<uint64_t>(got);
    }
    return 0;
  }

  const InputFile& file_;
  const uint32_t piece_length_;
  std::vector<PieceHashes> pieces_;
  std::atomic<size_t> next_{0};
  std::atomic<int> error_{0};
};

}  // namespace

absl::StatusOr<Metainfo> HashFile(const InputFile& file, const std::string& path, const std::string& name,
                                  uint32_t piece_length) {
  FileHasher hasher(file, piece_length);
  if (const int error = hasher.Run(); error > 0) {
    return absl::UnavailableError(absl::StrCat("cannot read ", path, ": ", std::strerror(error)));
  }
  // A file that ended early has changed, too.
  if (absl::Status status = file.CheckUnchanged(); !status.ok()) return status;
  return AssembleMetainfo(name, file.size(), piece_length, hasher.pieces());
}

}  // namespace bt::nodes
