#include "nodes/http_api/console.h"

#include <algorithm>
#include <span>
#include <string>

#include "core/base/check.h"
#include "nodes/http_api/console_files.h"

namespace bt::nodes {
namespace {

// Names of torrents are a stranger's words. The page writes them as text; should it ever not, what they hold
// is neither run nor loaded, nor is anything sent elsewhere.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view ContentType(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return "text/javascript; charset=utf-8";
}

}  // namespace

const ConsoleFile* FindConsoleFile(std::string_view name) {
  const std::span<const ConsoleFile> files = ConsoleFiles();
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const ConsoleFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

net::HttpResponse ConsoleResponse(std::string_view name) {
  const ConsoleFile* file = FindConsoleFile(name);
  CHECK(file != nullptr);
  net::HttpResponse response;
  response.content_type = std::string(ContentType(name));
  response.headers = {{"Content-Security-Policy", std::string(kPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      // The next release's modules are not to be mixed with this one's.
                      {"Cache-Control", "no-store"}};
  response.body = std::string(file->text);
  return response;
}

}  // namespace bt::nodes
