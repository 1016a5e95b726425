#pragma once

// OutputFile: a file that simrun is told to write. It is written beside its name and gets that when it is
// whole, so that what stood there stays until then, and a command that fails leaves nothing.

#include <cstdio>
#include <string>

namespace bt::sim {

class OutputFile {
 public:
  OutputFile() = default;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // False: nothing can be written there.
  bool Open(const std::string& path);
  bool is_open() const { return stream_ != nullptr; }
  std::FILE* stream() const { return stream_; }
  const std::string& path() const { return path_; }
  // The file is whole. False: something of it could not be written.
  bool Keep();

 private:
  std::string Beside() const { return path_ + ".part"; }

  std::string path_;
  std::FILE* stream_ = nullptr;
};

}  // namespace bt::sim
