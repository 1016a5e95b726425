#include "core/torrent/file_tree.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/check.h"
#include "core/torrent/invalid.h"
#include "core/torrent/metainfo.h"

namespace bt {
namespace {

using bencode::Value;

// Whether `a`, which does not come after `b`, is `b` or a directory `b` is in.
bool Contains(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin());
}

std::string_view AttributesOf(const Value& file) {
  const auto attributes = file.Find("attr");
  return attributes ? attributes->text().value_or("") : "";
}

absl::StatusOr<uint64_t> LengthOf(const Value& file, const char* path) {
  const auto value = file.Find("length");
  const auto number = value ? value->integer() : std::nullopt;
  if (!number) return Invalid(path, ": the length of a file is missing, or no integer");
  if (*number < 0) return Invalid(path, ": the length of a file is negative (", *number, ")");
  return static_cast<uint64_t>(*number);
}

absl::StatusOr<FileTree::File> ReadLeaf(const Value& leaf) {
  constexpr const char* kPath = "info.file tree";
  if (!leaf.is_dictionary()) return Invalid(kPath, ": a file is not a dictionary");
  if (leaf.Find("symlink path") || AttributesOf(leaf).find('l') != std::string_view::npos) {
    return Invalid(kPath, ": symbolic links are not followed, so none can be shared");
  }
  FileTree::File file;
  const auto length = LengthOf(leaf, kPath);
  if (!length.ok()) return length.status();
  file.length = *length;
  file.executable = AttributesOf(leaf).find('x') != std::string_view::npos;
  const auto root = leaf.Find("pieces root");
  const std::string_view bytes = root ? root->text().value_or("") : "";
  if (file.length == 0) {
    if (root) return Invalid(kPath, ": an empty file has a pieces root");
    return file;
  }
  if (!root) return Invalid(kPath, ": the pieces root of a file is missing");
  if (bytes.size() != file.pieces_root.size())
    return Invalid(kPath, ": a file has no pieces root of 32 bytes");
  std::copy(bytes.begin(), bytes.end(), file.pieces_root.begin());
  return file;
}

}  // namespace

std::string FileTree::File::Path() const { return absl::StrJoin(path, "/"); }

FileTree::FileTree(std::vector<File> files, uint32_t piece_length, bool padded_end)
    : files_(std::move(files)), piece_length_(piece_length) {
  CHECK(piece_length > 0);
  first_piece_.reserve(files_.size());
  for (size_t i = 0; i < files_.size(); ++i) {
    first_piece_.push_back(piece_count_);
    const uint64_t length = files_[i].length;
    if (length == 0) continue;
    not_empty_.push_back(static_cast<uint32_t>(i));
    length_ += length;  // Validate finds sums that do not fit
    piece_count_ += (length - 1) / piece_length + 1;
  }
  padded_end_ = padded_end && !not_empty_.empty() && files_[not_empty_.back()].length % piece_length != 0;
}

std::optional<FileTree> FileTree::FromPlain(Plain plain) {
  if (plain.files.empty()) {
    return plain.piece_length == 0 && !plain.padded_end ? std::optional(FileTree()) : std::nullopt;
  }
  if (plain.piece_length == 0) return std::nullopt;
  FileTree tree(std::move(plain.files), plain.piece_length, plain.padded_end);
  if (tree.padded_end() != plain.padded_end) return std::nullopt;  // there is nothing to pad
  return tree;
}

size_t FileTree::FileOf(uint32_t piece) const {
  CHECK(piece < piece_count_);
  const auto after = std::upper_bound(not_empty_.begin(), not_empty_.end(), piece,
                                      [&](uint32_t p, uint32_t file) { return p < first_piece_[file]; });
  return *std::prev(after);
}

Sha256Digest FileTree::Root() const {
  std::string bytes = "bytetorrent tree";
  bytes.resize(kBlockSize, '\0');
  bencode::Writer writer(bytes);
  WriteTree(writer);
  return Sha256(bytes);
}

absl::Status FileTree::Validate() const {
  if (files_.size() > kTreeFileLimit) {
    return Invalid("the tree has ", files_.size(), " files; at most ", kTreeFileLimit, " are allowed");
  }
  uint64_t text = 0;
  uint64_t length = 0;
  for (size_t i = 0; i < files_.size(); ++i) {
    const File& file = files_[i];
    if (file.path.empty()) return Invalid("a file of the tree has no path");
    if (file.path.size() > kTreeDepthLimit) {
      return Invalid("a path of the tree has ", file.path.size(), " parts; at most ", kTreeDepthLimit,
                     " are allowed");
    }
    size_t bytes = 0;
    for (const std::string& part : file.path) {
      bytes += part.size() + 1;
      if (absl::Status status = ValidateName(part); !status.ok()) {
        return Invalid("a path of the tree: ", status.message());
      }
    }
    text += bytes;
    if (bytes > kTreePathLimit || text > kTreeTextLimit) {
      return Invalid("the paths of the tree are too long: at most ", kTreePathLimit, " bytes each and ",
                     kTreeTextLimit, " in all are allowed");
    }
    if (i > 0 && (file.path < files_[i - 1].path || Contains(files_[i - 1].path, file.path))) {
      return Invalid("the tree holds ", file.Path(), " twice, out of order, or as a file and a directory");
    }
    if (file.length > INT64_MAX - length) return Invalid("the files of the tree are too long together");
    length += file.length;
    if (file.length == 0 && file.pieces_root != Sha256Digest{}) {
      return Invalid("the tree's empty file ", file.Path(), " has a pieces root");
    }
  }
  if (length == 0) return Invalid("all files of the tree are empty, so there is nothing to share");
  return absl::OkStatus();
}

void FileTree::WriteTree(bencode::Writer& writer) const {
  writer.BeginDictionary();
  std::vector<std::string> open;  // directories that are being written
  for (const File& file : files_) {
    size_t common = 0;
    while (common < open.size() && common + 1 < file.path.size() && open[common] == file.path[common])
      ++common;
    for (; open.size() > common; open.pop_back()) writer.End();
    for (; open.size() + 1 < file.path.size(); open.push_back(file.path[open.size()])) {
      writer.Key(file.path[open.size()]).BeginDictionary();
    }
    writer.Key(file.path.back()).BeginDictionary().Key("").BeginDictionary();
    if (file.executable) writer.Key("attr").Text("x");
    writer.Key("length").Integer(static_cast<int64_t>(file.length));
    if (file.length > 0) writer.Key("pieces root").Text(BytesOf(file.pieces_root));
    writer.End().End();
  }
  for (; !open.empty(); open.pop_back()) writer.End();
  writer.End();
}

void FileTree::WriteFiles(bencode::Writer& writer) const {
  writer.BeginList();
  for (size_t i = 0; i < files_.size(); ++i) {
    const File& file = files_[i];
    writer.BeginDictionary();
    if (file.executable) writer.Key("attr").Text("x");
    writer.Key("length").Integer(static_cast<int64_t>(file.length));
    writer.Key("path").BeginList();
    for (const std::string& part : file.path) writer.Text(part);
    writer.End().End();
    const uint64_t over = file.length % piece_length_;
    const bool last = not_empty_.empty() || i >= not_empty_.back();
    if (over == 0 || (last && !padded_end_)) continue;
    const uint64_t padding = piece_length_ - over;
    writer.BeginDictionary().Key("attr").Text("p").Key("length").Integer(static_cast<int64_t>(padding));
    writer.Key("path").BeginList().Text(".pad").Text(absl::StrCat(padding)).End().End();
  }
  writer.End();
}

absl::StatusOr<std::vector<FileTree::File>> FileTree::ReadTree(const Value& tree) {
  if (!tree.is_dictionary()) return Invalid("info.file tree is not a dictionary");
  std::vector<File> files;
  // Directories on the way to where we are, and what is left of each: the key to look at next.
  std::vector<std::optional<Value>> left = {tree.first()};
  std::vector<std::string> path;
  while (!left.empty()) {
    const std::optional<Value> key = left.back();
    if (!key) {
      left.pop_back();
      if (!path.empty()) path.pop_back();
      continue;
    }
    const Value below = *key->next();
    left.back() = below.next();
    const std::string part(*key->text());
    if (part.empty()) {
      if (path.empty() || left.back()) return Invalid("info.file tree: what has an entry \"\" is no file");
      absl::StatusOr<File> file = ReadLeaf(below);
      if (!file.ok()) return file.status();
      if (files.size() == kTreeFileLimit) {
        return Invalid("info.file tree holds more than ", kTreeFileLimit, " files");
      }
      file->path = path;
      files.push_back(*std::move(file));
      continue;
    }
    if (!below.is_dictionary() || !below.first()) return Invalid("info.file tree: ", part, " holds no file");
    if (path.size() == kTreeDepthLimit) {
      return Invalid("info.file tree is deeper than ", kTreeDepthLimit, " directories");
    }
    path.push_back(part);
    left.push_back(below.first());
  }
  if (files.empty()) return Invalid("info.file tree holds no file");
  return files;
}

absl::StatusOr<bool> FileTree::CheckFiles(const Value& list) const {
  if (list.kind() != bencode::Kind::kList) return Invalid("info.files is not a list");
  uint64_t offset = 0;  // modulo the piece length
  size_t next = 0;
  bool padded = false;
  for (auto entry = list.first(); entry; entry = entry->next()) {
    const auto length = LengthOf(*entry, "info.files");
    if (!length.ok()) return length.status();
    if (AttributesOf(*entry).find('p') != std::string_view::npos) {
      if (*length >= piece_length_ || (offset + *length) % piece_length_ != 0 || *length == 0) {
        return Invalid("info.files: padding of ", *length, " bytes does not lead to the next piece");
      }
      offset = 0;
      padded = true;
      continue;
    }
    if (next == files_.size()) return Invalid("info.files has more files than info.file tree");
    const File& file = files_[next++];
    const auto path = entry->Find("path");
    auto part = path ? path->first() : std::nullopt;
    for (const std::string& expected : file.path) {
      if (!part || part->text() != expected) {
        return Invalid("info.files and info.file tree disagree about file ", next, " (", file.Path(), ")");
      }
      part = part->next();
    }
    if (part || *length != file.length) {
      return Invalid("info.files and info.file tree disagree about file ", next, " (", file.Path(), ")");
    }
    if (*length == 0) continue;
    if (offset != 0) return Invalid("info.files: ", file.Path(), " does not begin with a piece");
    offset = *length % piece_length_;
    padded = false;
  }
  if (next != files_.size()) return Invalid("info.files has fewer files than info.file tree");
  return padded;
}

}  // namespace bt
