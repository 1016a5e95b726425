#include "tools/simrun/conform.h"

#include <absl/strings/string_view.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "core/machine/conform.h"
#include "core/tracker/recorded.h"
#include "tools/simrun/output_file.h"

namespace bt::sim {
namespace {

constexpr const char* kAbout = "Steps again what real nodes have recorded, and compares what they did";

int Wrong(const std::string& path, absl::string_view why) {
  std::fprintf(stderr, "simrun: %s: %s\n", path.c_str(), std::string(why).c_str());
  return 2;
}

std::string EndText(const Conformity& found) {
  return found.ended ? found.ended->why : "the process ended without a word";
}

// The exit status: 0 it conforms, 1 it does not, 2 it cannot be read.
int ConformOne(const std::string& path, const Teller& tell) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Wrong(path, "cannot be read");
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  absl::StatusOr<RecordingReader> reader = RecordingReader::Open(Slice::Own(std::move(bytes)));
  if (!reader.ok()) return Wrong(path, reader.status().message());
  absl::StatusOr<std::unique_ptr<tracker::TrackerNode>> node = tracker::RecordedNode(reader->head());
  if (!node.ok()) return Wrong(path, node.status().message());
  const NodeId self = (*node)->config().replica.self;
  const absl::StatusOr<Conformity> found = Conform(*reader, *std::move(node), tell);
  if (!found.ok()) return Wrong(path, found.status().message());
  std::printf("%s: node %u, release %s, %llu steps in %.1f s%s; %s\n", path.c_str(), self.value(),
              reader->head().program.c_str(), static_cast<unsigned long long>(found->steps),
              static_cast<double>(found->span.ns) / 1e9,
              found->difference.empty() ? ": every one the same" : "", EndText(*found).c_str());
  if (found->difference.empty()) return 0;
  std::printf("  %s\n", found->difference.c_str());
  return 1;
}

int Run(int argc, char** argv) {
  CLI::App app(kAbout, "simrun conform");
  std::vector<std::string> files;
  app.add_option("FILE", files, "what a node that runs with --record FILE has written")->required();
  std::string trace;
  app.add_option("--trace", trace, "write each step and what it did there, for people");
  app.footer("Exit status: 0 all conform, 1 one does not, 2 wrong usage, or a file that cannot be read.\n");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "simrun: %s (see simrun conform --help)\n", error.what());
    return 2;
  }
  int status = 0;
  OutputFile lines;
  Teller tell;
  if (!trace.empty()) {
    if (!lines.Open(trace)) return Wrong(trace, "cannot be written");
    tell = [&](const std::string& line) { std::fprintf(lines.stream(), "%s\n", line.c_str()); };
  }
  for (const std::string& file : files) {
    if (tell) tell(file);
    status = std::max(status, ConformOne(file, tell));
  }
  if (tell && !lines.Keep()) return Wrong(trace, "cannot be written");
  return status;
}

}  // namespace

SimrunCommand ConformCommand() { return {"conform", kAbout, Run}; }

}  // namespace bt::sim
