#pragma once

// TokenFile: the table of tokens that a node was given (nodes/shared/tokens.h), as it was when last read
// whole. Loop thread only; reading blocks for as long as a small file takes, at the start and when the
// operator says that it has changed.

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <utility>

#include "nodes/shared/tokens.h"
#include "nodes/tracker/operator_log.h"

namespace bt::nodes {

class TokenFile {
 public:
  // Empty: there is none, and whoever reaches the node may do everything that the file is about. `what` its
  // lines are called.
  explicit TokenFile(std::string path, const char* what = "tokens") : path_(std::move(path)), what_(what) {}

  bool given() const { return !path_.empty(); }
  // Reads it, or reads it again; after an error the table is as it was. Without a file: nothing.
  absl::Status Read();

  // What was read last, and who else might read it. Without a file: nothing.
  void Tell(const OperatorLog& log) const;

  // nullptr: no tokens are asked for.
  const TokenTable* table() const { return table_ ? &*table_ : nullptr; }

 private:
  const std::string path_;
  const char* const what_;
  std::optional<TokenTable> table_;
  bool shared_ = false;  // others on this machine may read or change it
};

}  // namespace bt::nodes
