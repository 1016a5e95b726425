#include "nodes/shared/file_hashing.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace bt::nodes {
namespace {

constexpr size_t kReadSize = 1 << 20;           // bytes read and hashed at a time
constexpr uint64_t kReadAhead = 8 << 20;        // bytes the kernel is asked to fetch ahead of each thread
constexpr uint64_t kParallelLength = 32 << 20;  // from here on a second thread pays
constexpr uint32_t kThreads = 2;

// The pieces of a content, handed out to threads one at a time, in order.
class ContentHasher {
 public:
  // What holds one file of the content: its place in the tree, 0 for a single file. Opened by each thread for
  // itself.
  using OpenFile = std::function<absl::StatusOr<InputFile>(size_t)>;

  ContentHasher(const Metainfo& form, OpenFile open)
      : form_(form), open_(std::move(open)), pieces_(form.piece_count()) {}

  absl::StatusOr<Metainfo> Run() {
    const uint32_t helpers = form_.length >= kParallelLength ? kThreads - 1 : 0;
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < helpers; ++i) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    if (!error_.ok()) return error_;
    return AssembleMetainfo(form_, pieces_);
  }

 private:
  void Work() {
    PieceHasher hasher(form_);
    std::string buffer(std::min<uint64_t>(kReadSize, form_.length), '\0');
    std::optional<InputFile> file;
    size_t opened = 0;
    absl::Status status = absl::OkStatus();
    for (uint32_t i = next_++; i < pieces_.size() && !failed_ && status.ok(); i = next_++) {
      const size_t number = form_.tree.empty() ? 0 : form_.tree.FileOf(i);
      if (file && opened != number) status = file->CheckUnchanged();
      if (status.ok() && (!file || opened != number)) status = Open(number, i, file);
      opened = number;
      if (status.ok()) status = HashPiece(i, *file, buffer, hasher);
    }
    // A file that ended early has changed, too.
    if (file && (status.ok() || absl::IsDataLoss(status))) {
      if (absl::Status unchanged = file->CheckUnchanged(); !unchanged.ok()) status = std::move(unchanged);
    }
    if (status.ok()) return;
    failed_ = true;
    const std::lock_guard<std::mutex> lock(mutex_);
    error_.Update(status);
  }

  absl::Status Open(size_t number, uint32_t piece, std::optional<InputFile>& file) {
    absl::StatusOr<InputFile> opened = open_(number);
    if (!opened.ok()) return opened.status();
    if (opened->size() != form_.file_length(piece)) {
      return absl::AbortedError(absl::StrCat(opened->path(),
                                             " has another length than when it was looked at; try again when "
                                             "nothing writes to it"));
    }
    file.emplace(*std::move(opened));
    return absl::OkStatus();
  }

  absl::Status HashPiece(uint32_t piece, const InputFile& file, std::string& buffer, PieceHasher& hasher) {
    const uint64_t first = form_.tree.empty() ? 0 : form_.tree.first_piece(form_.tree.FileOf(piece));
    uint64_t begin = (piece - first) * form_.piece_length;
    const uint64_t end = begin + form_.piece_size(piece);
    posix_fadvise(file.descriptor(), static_cast<off_t>(end), static_cast<off_t>(kReadAhead),
                  POSIX_FADV_WILLNEED);
    while (begin < end) {
      const size_t want = std::min<uint64_t>(buffer.size(), end - begin);
      const ssize_t got = pread(file.descriptor(), buffer.data(), want, static_cast<off_t>(begin));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileError("read", file.path(), errno);
      if (got == 0) return absl::DataLossError(absl::StrCat(file.path(), " has become shorter"));
      hasher.Update(std::string_view(buffer.data(), static_cast<size_t>(got)));
      begin += static_cast<uint64_t>(got);
    }
    pieces_[piece] = hasher.Finish(piece);
    return absl::OkStatus();
  }

  const Metainfo& form_;
  const OpenFile open_;
  std::vector<PieceHashes> pieces_;
  std::atomic<uint32_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  absl::Status error_ = absl::OkStatus();  // guarded by mutex_
};

// `entry` as a file of the tree; nullopt: a directory.
absl::StatusOr<std::optional<FileTree::File>> Look(const std::filesystem::directory_entry& entry,
                                                   const std::filesystem::path& below) {
  std::error_code error;
  const std::filesystem::file_status status = entry.symlink_status(error);
  const std::string path = entry.path().string();
  if (error) return FileError("look at", path, error.value());
  if (std::filesystem::is_directory(status)) return std::nullopt;
  if (std::filesystem::is_symlink(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot share ", path, ": it is a symbolic link; put what it leads to in its place, or ",
                     "take it out of the directory"));
  }
  if (!std::filesystem::is_regular_file(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot share ", path, ": it is not a regular file; take it out of the directory"));
  }
  FileTree::File file;
  for (const std::filesystem::path& part : entry.path().lexically_relative(below)) file.path.push_back(part);
  file.length = entry.file_size(error);
  if (error) return FileError("look at", path, error.value());
  file.executable =
      (status.permissions() & std::filesystem::perms::owner_exec) != std::filesystem::perms::none;
  return file;
}

}  // namespace

absl::StatusOr<Metainfo> HashFile(const InputFile& file, const std::string& name, uint32_t piece_length) {
  const std::string& path = file.path();
  const Metainfo form{.name = name, .length = file.size(), .piece_length = piece_length};
  absl::StatusOr<Metainfo> hashed = ContentHasher(form, [&](size_t) { return InputFile::Open(path); }).Run();
  // What was opened by name was this file?
  if (absl::Status status = file.CheckUnchanged(); !status.ok()) return status;
  if (hashed.ok() && !file.IsSameFile(path)) {
    return absl::AbortedError(
        absl::StrCat(path, " was replaced while it was being read; try again when nothing writes to it"));
  }
  return hashed;
}

absl::StatusOr<std::vector<FileTree::File>> ListTree(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  std::vector<FileTree::File> files;
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    absl::StatusOr<std::optional<FileTree::File>> file = Look(*entry, directory);
    if (!file.ok()) return file.status();
    if (!file->has_value()) continue;
    if (files.size() == kTreeFileLimit) {
      return absl::FailedPreconditionError(absl::StrCat("cannot share ", directory, ": it holds more than ",
                                                        kTreeFileLimit,
                                                        " files; pack some of them together"));
    }
    files.push_back(**std::move(file));
  }
  if (error) return FileError("read", directory, error.value());
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

absl::StatusOr<Metainfo> HashTree(const std::string& directory, const std::string& name,
                                  std::vector<FileTree::File> files, uint32_t piece_length) {
  Metainfo form{.name = name, .length = 0, .piece_length = piece_length};
  form.tree = FileTree(std::move(files), piece_length);
  form.length = form.tree.length();
  return ContentHasher(form,
                       [&](size_t file) {
                         return InputFile::Open(absl::StrCat(directory, "/", form.tree.files()[file].Path()));
                       })
      .Run();
}

}  // namespace bt::nodes
