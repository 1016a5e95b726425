#include "tools/simrun/output_file.h"

#include <utility>

namespace bt::sim {

OutputFile::~OutputFile() {
  if (stream_ == nullptr) return;
  std::fclose(stream_);
  std::remove(Beside().c_str());
}

bool OutputFile::Open(const std::string& path) {
  path_ = path;
  stream_ = std::fopen(Beside().c_str(), "w");
  return is_open();
}

bool OutputFile::Keep() {
  const bool failed = std::ferror(stream_) != 0;
  const bool closed = std::fclose(std::exchange(stream_, nullptr)) == 0;
  if (closed && !failed && std::rename(Beside().c_str(), path_.c_str()) == 0) return true;
  std::remove(Beside().c_str());
  return false;
}

}  // namespace bt::sim
