#include "nodes/shared/cluster_secret.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <sys/random.h>

#include <string_view>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/digest.h"
#include "nodes/shared/files.h"

namespace bt::nodes {
namespace {

constexpr std::string_view kPrefix = "bytetorrent-cluster-secret 1 ";

}  // namespace

ClusterSecret DrawClusterSecret() {
  ClusterSecret secret;
  CHECK(getrandom(secret.data(), secret.size(), 0) == static_cast<ssize_t>(secret.size()));
  return secret;
}

uint64_t ClusterId(const ClusterSecret& secret) {
  std::string text = "bytetorrent cluster id\n";
  text.append(BytesOf(secret));
  return LoadBig(BytesOf(Sha256(text)).data(), 8);
}

std::string ClusterIdText(const ClusterSecret& secret) { return absl::StrFormat("%016x", ClusterId(secret)); }

absl::Status WriteClusterSecret(const std::string& path, const ClusterSecret& secret) {
  const absl::Status status = CreateSecretFile(path, std::string(kPrefix) + Hex(secret) + "\n");
  if (!absl::IsAlreadyExists(status)) return status;
  return absl::AlreadyExistsError(
      absl::StrCat(path,
                   " exists and is left as it was; a cluster has one secret for all its life. Use that "
                   "file, or name another one for another cluster"));
}

absl::StatusOr<ClusterSecret> ReadClusterSecret(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) return text.status();
  std::string_view line = *text;
  ClusterSecret secret;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.starts_with(kPrefix) && FromHex(line.substr(kPrefix.size()), secret)) return secret;
  return absl::FailedPreconditionError(
      absl::StrCat(path,
                   " is not the secret of a cluster, or not the whole of it; make one with "
                   "\"bytetorrent cluster init -o FILE\" and give every node the same"));
}

}  // namespace bt::nodes
