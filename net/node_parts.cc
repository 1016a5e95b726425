#include "net/node_parts.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/digest.h"
#include "net/host.h"

namespace bt::net {
namespace {

constexpr size_t kSecretBytesMin = 32;
constexpr size_t kSecretBytesMax = 4096;

// What the words of a command line say, before they are understood.
struct Words {
  uint32_t id = 0;
  std::vector<std::string> nodes;
  std::string data_dir;
  std::string secret_file;
};

absl::Status Wrong(auto&&... words) { return absl::InvalidArgumentError(absl::StrCat(words...)); }

absl::Status ReadNodes(const Words& words, NodeFlags& flags) {
  if (words.nodes.size() > kNodesMax) return Wrong("--node: there are at most ", kNodesMax, " nodes");
  for (const std::string& word : words.nodes) {
    const size_t equals = word.find('=');
    uint32_t id = 0;
    if (equals == std::string::npos || !absl::SimpleAtoi(word.substr(0, equals), &id) || id == 0) {
      return Wrong("--node ", word, ": a node is N=HOST:PORT, with N from 1 on");
    }
    const absl::StatusOr<HostAndPort> where = HostAndPort::Parse(word.substr(equals + 1));
    if (!where.ok()) return Wrong("--node ", word, ": ", where.status().message());
    if (!flags.nodes.emplace(NodeId(id), *where).second) return Wrong("--node: there are two nodes ", id);
  }
  if (flags.nodes.contains(flags.self)) return absl::OkStatus();
  return Wrong("--id ", words.id, ": no --node says where that is");
}

bool IsLoopback(const HostAndPort& where) {
  return where.host == "localhost" || where.host == "[::1]" || where.host.starts_with("127.");
}

absl::Status ReadSecret(const Words& words, NodeFlags& flags) {
  if (words.secret_file.empty()) {
    for (const auto& [id, where] : flags.nodes) {
      if (IsLoopback(where)) continue;
      return Wrong(
          "--node ", id.value(), "=", where.ToString(),
          ": without --secret FILE anybody who reaches a port could speak as a node, so all nodes must "
          "be on 127.0.0.1");
    }
    return absl::OkStatus();
  }
  std::ifstream in(words.secret_file, std::ios::binary);
  std::string bytes(kSecretBytesMax + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (bytes.size() < kSecretBytesMin || bytes.size() > kSecretBytesMax) {
    return Wrong("--secret ", words.secret_file, ": must be a readable file of ", kSecretBytesMin, " to ",
                 kSecretBytesMax, " bytes, such as `head -c 32 /dev/urandom` makes");
  }
  flags.secret = Sha256(bytes);
  return absl::OkStatus();
}

absl::StatusOr<NodeFlags> Understand(const NodeProgram& program, const Words& words) {
  NodeFlags flags{.program = program.name, .self = NodeId(words.id), .data_dir = words.data_dir};
  if (const absl::Status status = ReadNodes(words, flags); !status.ok()) return status;
  if (const absl::Status status = ReadSecret(words, flags); !status.ok()) return status;
  return flags;
}

// Two protocols, or two clusters with secrets of their own, are foreign to each other.
uint64_t ClusterOf(const NodeFlags& flags) {
  std::string text = absl::StrCat("node process ", flags.program, "\n");
  text.append(BytesOf(flags.secret));
  return LoadBig(BytesOf(Sha256(text)).data(), 8);
}

// Nodes that were told of different nodes do not speak to each other.
uint64_t DigestOfIds(const NodeFlags& flags) {
  RollingDigest digest;
  for (const auto& [id, where] : flags.nodes) digest.Add(id.value());
  return digest.value();
}

}  // namespace

std::optional<NodeFlags> ParseNodeFlags(const NodeProgram& program, int argc, char** argv, int& exit_status) {
  CLI::App app(program.about);
  Words words;
  app.add_option("--id", words.id, "which of the nodes this one is")->required();
  app.add_option("--node", words.nodes, "N=HOST:PORT: where node N is; once for each node, this one too")
      ->required();
  app.add_option("--data-dir", words.data_dir, "where the journal is, or is to be")->required();
  app.add_option("--secret", words.secret_file, "a file that all nodes have and nobody else");
  app.footer(absl::StrCat("Example:\n  ", program.name,
                          " --id 1 --data-dir 1.data --node 1=127.0.0.1:7001 --node 2=127.0.0.1:7002"));
  const auto refuse = [&](const std::string& why) {
    std::fprintf(stderr, "%s: %s (see --help)\n", program.name, why.c_str());
    exit_status = 2;
    return std::nullopt;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return refuse(error.what());
    exit_status = app.exit(error);
    return std::nullopt;
  }
  absl::StatusOr<NodeFlags> flags = Understand(program, words);
  if (!flags.ok()) return refuse(std::string(flags.status().message()));
  return *std::move(flags);
}

absl::StatusOr<NodeParts> OpenNode(Loop& loop, const NodeFlags& flags) {
  NodeParts parts;
  const absl::StatusOr<Address> own = Resolve(flags.nodes.at(flags.self).ToString());
  if (!own.ok()) return own.status();
  ReplicaLinksOptions options;
  options.identity = {.cluster = ClusterOf(flags),
                      .first_members = DigestOfIds(flags),
                      .secret = flags.secret,
                      .self = flags.self};
  options.peers = flags.nodes;
  options.peers.erase(flags.self);
  options.note = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  parts.links = std::make_unique<ReplicaLinks>(loop, std::move(options), SystemSeed());
  const absl::StatusOr<Address> address = parts.links->Listen(*own);
  if (!address.ok()) return address.status();
  parts.address = *address;
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(
      loop, {.directory = flags.data_dir, .identity = {ClusterOf(flags), flags.self}}, parts.recovery);
  if (!journal.ok()) return journal.status();
  parts.journal = *std::move(journal);
  return parts;
}

void StopAtSignals(Loop& loop) {
  loop.OnSignals({SIGTERM, SIGINT}, [&loop](int) { loop.Stop(); });
}

void SayReady(const NodeFlags& flags, const Address& address) {
  std::printf("node %u: listens on %s, data in %s\n", flags.self.value(), address.ToString().c_str(),
              flags.data_dir.c_str());
  std::fflush(stdout);
}

void SayNote(NodeId self, const std::string& note) {
  std::printf("node %u: %s\n", self.value(), note.c_str());
  std::fflush(stdout);
}

void SayStops(const NodeFlags& flags, const absl::Status& why) {
  std::fprintf(stderr, "%s: node %u stops: %s\n", flags.program.c_str(), flags.self.value(),
               std::string(why.message()).c_str());
}

}  // namespace bt::net
