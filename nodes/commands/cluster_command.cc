// bytetorrent cluster init: draws the secret of a new cluster.

#include <cstdio>

#include "nodes/commands/commands.h"
#include "nodes/shared/cluster_secret.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

ExitStatus RunClusterInit(const ClusterInitOptions& options) {
  const ClusterSecret secret = DrawClusterSecret();
  const absl::Status written = WriteClusterSecret(options.output, secret);
  if (!written.ok()) return Refuse("cluster init", written);
  std::printf("%s holds the secret of the new cluster %s\n", Printable(options.output).c_str(),
              ClusterIdText(secret).c_str());
  return ExitStatus::kDone;
}

}  // namespace bt::nodes
