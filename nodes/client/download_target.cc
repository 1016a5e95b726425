#include "nodes/client/download_target.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "nodes/shared/file_hashing.h"
#include "nodes/shared/files.h"

namespace bt::nodes {
namespace {

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool HoldsFile(const std::string& directory, const FileTree::File& file) {
  struct stat info {};
  return ::stat((directory + "/" + file.Path()).c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<uint64_t>(info.st_size) == file.length;
}

// Looks at lengths before it hashes anything.
bool HoldsFiles(const std::string& directory, const Metainfo& metainfo, std::vector<FileTree::File> files) {
  const auto holds = [&](const FileTree::File& file) { return HoldsFile(directory, file); };
  if (!IsDirectory(directory) || !std::all_of(files.begin(), files.end(), holds)) return false;
  const auto empty = [](const FileTree::File& file) { return file.length == 0; };
  if (std::all_of(files.begin(), files.end(), empty)) return true;
  const absl::StatusOr<Metainfo> found = HashTree(directory, metainfo.name, files, metainfo.piece_length);
  return found.ok() && found->tree.files() == files;
}

// Whether somebody's earlier selection has made it.
bool HoldsAnyFile(const std::string& directory, const Metainfo& metainfo) {
  const std::vector<FileTree::File>& files = metainfo.tree.files();
  return std::any_of(files.begin(), files.end(), [&](const FileTree::File& file) {
    return file.length > 0 && HoldsFile(directory, file);
  });
}

}  // namespace

bool HoldsContent(const std::string& path, const Metainfo& metainfo, const swarm::Selection& selection) {
  if (!metainfo.tree.empty()) {
    std::vector<FileTree::File> files;
    for (size_t i = 0; i < metainfo.tree.files().size(); ++i) {
      if (selection.HasFile(i)) files.push_back(metainfo.tree.files()[i]);
    }
    return HoldsFiles(path, metainfo, std::move(files));
  }
  const absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok() || file->size() != metainfo.length) return false;
  const absl::StatusOr<Metainfo> found = HashFile(*file, metainfo.name, metainfo.piece_length);
  return found.ok() && found->content() == metainfo.content();
}

std::string DownloadPath(const std::string& output, const Metainfo& metainfo,
                         const swarm::Selection& selection) {
  if (output.empty()) return metainfo.name;
  const bool directory = IsDirectory(output);
  if (directory && !metainfo.tree.empty()) {
    if (HoldsContent(output, metainfo, selection)) return output;
    if (selection.given() && HoldsAnyFile(output, metainfo)) return output;
  }
  if (output.back() == '/') return output + metainfo.name;
  return directory ? output + "/" + metainfo.name : output;
}

}  // namespace bt::nodes
