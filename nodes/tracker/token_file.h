#pragma once

// TokenFile: the table of tokens that a node was given (nodes/shared/tokens.h), as it was when last read
// whole. Loop thread only; reading blocks for as long as a small file takes, at the start and when the
// operator says that it has changed.

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <utility>

#include "core/base/address.h"
#include "nodes/shared/tokens.h"
#include "nodes/tracker/operator_log.h"

namespace bt::nodes {

class TokenFile {
 public:
  // Empty: there is none, and whoever reaches the node may do everything.
  explicit TokenFile(std::string path) : path_(std::move(path)) {}

  // Reads it, or reads it again; after an error the table is as it was. Without a file: nothing.
  absl::Status Read();

  // As Read, and tells the operator what came of it.
  void Reload(const OperatorLog& log);
  // At the start: who may ask what of a node whose clients connect to `clients`.
  void Tell(const OperatorLog& log, const Address& clients) const;

  // nullptr: no tokens are asked for.
  const TokenTable* table() const { return table_ ? &*table_ : nullptr; }

 private:
  void TellCount(const OperatorLog& log) const;

  const std::string path_;
  std::optional<TokenTable> table_;
  bool shared_ = false;  // others on this machine may read or change it
};

}  // namespace bt::nodes
