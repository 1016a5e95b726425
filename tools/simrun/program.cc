#include "tools/simrun/program.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <string_view>

namespace bt::sim {
namespace {

constexpr std::string_view kPlain = "/._-+=:@%,";

std::string Quoted(const std::string& word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](char letter) {
    return absl::ascii_isalnum(static_cast<unsigned char>(letter)) ||
           kPlain.find(letter) != std::string::npos;
  });
  return plain ? word : "'" + absl::StrReplaceAll(word, {{"'", "'\\''"}}) + "'";
}

// "..../bazel-out/k8-opt/bin/mine/lock/simrun" -> "//mine/lock:simrun", and of another repository
// "external/its/lock/simrun" -> "@its//lock:simrun". Empty where the path is none of Bazel's.
std::string Label(std::string_view path) {
  const size_t out = path.rfind("/bazel-out/");
  const size_t bin = path.find("/bin/", out == std::string_view::npos ? path.size() : out);
  if (bin == std::string_view::npos) return "";
  path.remove_prefix(bin + 5);
  std::string repository;
  constexpr std::string_view kExternal = "external/";
  if (path.starts_with(kExternal)) {
    path.remove_prefix(kExternal.size());
    repository = "@" + std::string(path.substr(0, path.find('/')));
    path.remove_prefix(std::min(path.size(), repository.size()));  // its '@' for the slash behind the name
  }
  const size_t slash = path.rfind('/');
  const std::string_view package = slash == std::string_view::npos ? "" : path.substr(0, slash);
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return repository + "//" + std::string(package) + ":" + std::string(name);
}

}  // namespace

std::string ProgramAsTyped(const std::string& called, bool started_by_bazel) {
  const std::string label = started_by_bazel ? Label(called) : "";
  return label.empty() ? Quoted(called) : label;
}

}  // namespace bt::sim
