// bytetorrent token new: draws a token, and says what its trackers must know of it.

#include <absl/strings/str_cat.h>

#include <cstdio>

#include "nodes/commands/commands.h"
#include "nodes/shared/files.h"
#include "nodes/shared/text.h"
#include "nodes/shared/tokens.h"

namespace bt::nodes {

ExitStatus RunTokenNew(const TokenNewOptions& options) {
  if (!IsTokenName(options.name)) {
    return Refuse(
        "token new",
        absl::InvalidArgumentError(absl::StrCat(
            "'", options.name,
            "' is no name: give 1 to 64 letters, digits, dots, hyphens or underscores, and not anybody")),
        ExitStatus::kWrongUsage);
  }
  const absl::StatusOr<TokenRoles> roles = TokenRoles::Parse(options.roles);
  if (!roles.ok()) return Refuse("token new", roles.status(), ExitStatus::kWrongUsage);
  const std::string path = options.output.empty() ? absl::StrCat(options.name, ".token") : options.output;
  const std::string token = DrawToken();
  const absl::Status written = CreateSecretFile(path, token + "\n");
  if (!written.ok()) return Refuse("token new", written);
  std::printf("%s\n", TokenLine(options.name, *roles, token).c_str());
  std::fprintf(stderr,
               "%s holds the token, for whoever shall have it; the line above is for the file of "
               "bytetorrent-tracker --tokens\n",
               Printable(path).c_str());
  return ExitStatus::kDone;
}

}  // namespace bt::nodes
