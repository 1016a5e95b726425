#pragma once

// Verdict: what the judges of one run have found. The first sentence wins. A sentence begins with the judge's
// name and a colon: "agreement: slot 7 was chosen twice".

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bt::sim {

// The judge that speaks in a sentence; all of it when it names none.
inline std::string_view JudgeOf(std::string_view sentence) { return sentence.substr(0, sentence.find(':')); }

class Verdict {
 public:
  // `judge`: which judges count. "agreement": that one alone; "-agreement": all but that one; "": all. So it
  // is seen what a judge finds alone, and what only it finds.
  explicit Verdict(std::string judge) : judge_(std::move(judge)) {}

  // False when somebody was first, or when the judge does not count.
  bool Fail(std::string sentence) {
    if (failed() || !Counts(sentence)) return false;
    sentence_ = std::move(sentence);
    return true;
  }
  bool failed() const { return sentence_.has_value(); }
  const std::optional<std::string>& sentence() const { return sentence_; }

 private:
  bool Counts(std::string_view sentence) const {
    if (judge_.empty()) return true;
    const bool all_but = judge_.front() == '-';
    return (JudgeOf(sentence) == std::string_view(judge_).substr(all_but ? 1 : 0)) != all_but;
  }

  std::string judge_;
  std::optional<std::string> sentence_;
};

}  // namespace bt::sim
