#include "nodes/shared/torrent_files.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "core/torrent/bencode.h"
#include "nodes/shared/files.h"

namespace bt::nodes {

std::string_view ReadTorrent::info() const {
  const absl::StatusOr<bencode::Document> document = bencode::Document::Parse(bytes);
  const auto info = document.ok() ? document->root().Find("info") : std::nullopt;
  return info ? info->raw() : std::string_view();
}

absl::StatusOr<ReadTorrent> ReadTorrentAndBytes(const std::string& path) {
  const absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> bytes = file->ReadAll(kTorrentFileLimit, "a torrent");
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<TorrentFile> torrent = ParseTorrent(*bytes);
  if (!torrent.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot use ", path, " as a torrent: ", torrent.status().message()));
  }
  return ReadTorrent{*std::move(torrent), *std::move(bytes)};
}

absl::StatusOr<TorrentFile> ReadTorrentFile(const std::string& path) {
  absl::StatusOr<ReadTorrent> read = ReadTorrentAndBytes(path);
  if (!read.ok()) return read.status();
  return std::move(read->torrent);
}

}  // namespace bt::nodes
