#include "tools/simrun/view.h"

#include <absl/strings/str_replace.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/check.h"
#include "tools/simrun/view_page.h"

namespace bt::sim {
namespace {

using nlohmann::json;

constexpr std::string_view kData = "@DATA@";

// As it may stand between <script> and </script>: nothing in it ends the element or begins a comment.
std::string Embeddable(const json& value) {
  return absl::StrReplaceAll(value.dump(-1, ' ', false, json::error_handler_t::replace), {{"<", "\\u003c"}});
}

// Calls `take` with each line, without its end.
template <class Take>
void ForEachLine(std::FILE* lines, Take take) {
  std::rewind(lines);
  char* text = nullptr;
  size_t room = 0;
  for (ssize_t size; (size = getline(&text, &room, lines)) > 0;) {
    const std::string_view line(text, static_cast<size_t>(size));
    if (line.ends_with('\n')) take(line.substr(0, line.size() - 1));  // a run that died may leave half a line
  }
  std::free(text);
}

void Put(std::string_view text, std::FILE* out) { std::fwrite(text.data(), 1, text.size(), out); }

}  // namespace

std::string ViewLine(const TraceRecord& record) {
  const int64_t node = record.node == kNobody ? -1 : int64_t{record.node};
  return Embeddable(json::array({record.at.ns, record.who, static_cast<int>(record.kind), node, record.peer,
                                 TraceWords(record), record.event})) +
         "\n";
}

ViewStats WriteView(const std::string& scenario, const Report& report, uint64_t cause, std::FILE* lines,
                    std::FILE* page) {
  ViewStats stats;
  uint64_t all = 0;
  ForEachLine(lines, [&](std::string_view) { ++all; });
  stats.left_out = all > kViewRecordsMax ? all - kViewRecordsMax : 0;
  const size_t data = kViewPage.find(kData);
  CHECK(data != std::string_view::npos);
  Put(kViewPage.substr(0, data), page);
  json head = {{"scenario", scenario}, {"seed", std::to_string(report.seed)}, {"left_out", stats.left_out}};
  if (report.failure) head["failure"] = *report.failure;
  if (cause > 0) head["cause"] = cause;
  std::string text = Embeddable(head);
  text.pop_back();  // the closing brace
  Put(text + ",\"records\":[", page);
  uint64_t at = 0;
  ForEachLine(lines, [&](std::string_view line) {
    if (at++ < stats.left_out) return;
    if (stats.records++ > 0) Put(",\n", page);
    Put(line, page);
  });
  Put("]}", page);
  Put(kViewPage.substr(data + kData.size()), page);
  return stats;
}

}  // namespace bt::sim
