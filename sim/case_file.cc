#include "sim/case_file.h"

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <vector>

namespace bt::sim {
namespace {

constexpr std::string_view kHeader = "bytetorrent simulation case, version 1";
constexpr std::string_view kTrailer = "end";

absl::Status Wrong(size_t line, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", std::string(why)));
}

// "  17 = 1 of 2"
bool ParseDecision(const std::string& line, Decision& decision) {
  const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() != 5 || words[1] != "=" || words[3] != "of") return false;
  if (!absl::SimpleAtoi(words[0], &decision.ordinal) || !absl::SimpleAtoi(words[2], &decision.value)) {
    return false;
  }
  if (words[4] == "any") return true;
  return absl::SimpleAtoi(words[4], &decision.bound) && decision.value < decision.bound;
}

// The lines behind the header, one at a time.
absl::Status ParseLine(const std::string& line, size_t number, Case& kept) {
  std::vector<StreamDecisions>& streams = kept.decisions.streams;
  if (line.rfind("  ", 0) == 0) {
    Decision decision;
    if (streams.empty()) return Wrong(number, "a decision before the name of a stream");
    if (!ParseDecision(line, decision)) {
      return Wrong(number, "not a decision of the form \"ordinal = value of bound\"");
    }
    std::vector<Decision>& decisions = streams.back().decisions;
    if (!decisions.empty() && decisions.back().ordinal >= decision.ordinal) {
      return Wrong(number, "the decisions of a stream are not in order");
    }
    decisions.push_back(decision);
    return absl::OkStatus();
  }
  for (const StreamDecisions& stream : streams) {
    if (stream.name == line) return Wrong(number, "a stream comes twice");
  }
  if (line.empty()) return Wrong(number, "a stream without a name");
  streams.push_back({line, {}});
  return absl::OkStatus();
}

// "seed 81732": what follows the word.
bool Named(const std::string& line, std::string_view word, std::string& value) {
  if (line.size() <= word.size() || line.compare(0, word.size(), word) != 0) return false;
  value = line.substr(word.size());
  return true;
}

}  // namespace

std::string RenderCase(const Case& kept) {
  const std::string sentence = absl::StrReplaceAll(kept.sentence, {{"\n", " "}});
  std::string text = absl::StrCat(std::string(kHeader), "\nscenario ", kept.scenario, "\nseed ", kept.seed,
                                  "\nsentence ", sentence, "\n");
  for (const StreamDecisions& stream : kept.decisions.streams) {
    absl::StrAppend(&text, stream.name, "\n");
    for (const Decision& decision : stream.decisions) {
      absl::StrAppend(&text, "  ", decision.ordinal, " = ", decision.value, " of ");
      absl::StrAppend(&text, decision.bound == 0 ? "any" : std::to_string(decision.bound), "\n");
    }
  }
  return text + std::string(kTrailer) + "\n";
}

absl::StatusOr<Case> ParseCase(std::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(absl::string_view(text.data(), text.size()), '\n');
  if (lines.front() != kHeader) {
    return Wrong(1, absl::StrCat("a case begins with \"", std::string(kHeader), "\""));
  }
  if (lines.size() < 2 || lines[lines.size() - 2] != kTrailer || !lines.back().empty()) {
    return Wrong(lines.size(), "the file is cut: its last line is not \"end\"");
  }
  lines.resize(lines.size() - 2);
  Case kept;
  kept.decisions.otherwise = Otherwise::kSimplest;
  std::string seed;
  if (lines.size() < 2 || !Named(lines[1], "scenario ", kept.scenario)) {
    return Wrong(2, "\"scenario NAME\" is missing");
  }
  if (lines.size() < 3 || !Named(lines[2], "seed ", seed) || !absl::SimpleAtoi(seed, &kept.seed)) {
    return Wrong(3, "\"seed NUMBER\" is missing");
  }
  if (lines.size() < 4 || !Named(lines[3], "sentence ", kept.sentence)) {
    return Wrong(4, "\"sentence WORDS\" is missing");
  }
  for (size_t i = 4; i < lines.size(); ++i) {
    const absl::Status status = ParseLine(lines[i], i + 1, kept);
    if (!status.ok()) return status;
  }
  return kept;
}

}  // namespace bt::sim
