#include "nodes/tracker/token_file.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <utility>

#include "nodes/shared/files.h"

namespace bt::nodes {

absl::Status TokenFile::Read() {
  if (path_.empty()) return absl::OkStatus();
  const absl::StatusOr<InputFile> file = InputFile::Open(path_);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::string> text = file->ReadAll(TokenTable::kFileBytesMax, "a file of tokens");
  if (!text.ok()) return text.status();
  absl::StatusOr<TokenTable> table = TokenTable::Parse(*text, path_);
  if (!table.ok()) return table.status();
  struct stat info {};
  shared_ = ::fstat(file->descriptor(), &info) == 0 && (info.st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) != 0;
  table_ = *std::move(table);
  return absl::OkStatus();
}

void TokenFile::Tell(const OperatorLog& log) const {
  if (!table_) return;
  log.Info(absl::StrCat(table_->size(), " ", what_, " of ", path_, " are in force"));
  if (!shared_) return;
  log.Warning(
      absl::StrCat("others on this machine can read or change ", path_, ": chmod 600 ", path_, " ends that"));
}

}  // namespace bt::nodes
