#pragma once

// Figures: what runs measure, by name, in thousandths ("makespan over bound" 1085): of each how often, the
// mean and the most. They judge nothing; a sweep adds them up.

#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bt::sim {

struct Figure {
  std::string name;
  uint64_t count = 0;
  uint64_t sum = 0;
  uint64_t most = 0;

  static constexpr void Fields(auto& self, auto&& visit) {
    visit("name", self.name);
    visit("count", self.count);
    visit("sum", self.sum);
    visit("most", self.most);
  }
};

class Figures {
 public:
  void Add(std::string_view name, uint64_t thousandths) {
    Add({std::string(name), 1, thousandths, thousandths});
  }
  void Add(const Figures& other) {
    for (const Figure& figure : other.all_) Add(figure);
  }
  void Add(const Figure& more) {
    const auto known =
        std::find_if(all_.begin(), all_.end(), [&](const Figure& one) { return one.name == more.name; });
    Figure& figure = known == all_.end() ? all_.emplace_back(Figure{more.name}) : *known;
    figure.count += more.count;
    figure.sum += more.sum;
    figure.most = std::max(figure.most, more.most);
  }
  const std::vector<Figure>& all() const { return all_; }

  // A line each; nothing when nothing was measured.
  std::string ToString() const {
    std::string text;
    for (const Figure& figure : all_) {
      text += absl::StrFormat("%s: mean %.3f, most %.3f of %d\n", figure.name,
                              static_cast<double>(figure.sum) / static_cast<double>(figure.count) / 1000,
                              static_cast<double>(figure.most) / 1000, figure.count);
    }
    return text;
  }

  static constexpr void Fields(auto& self, auto&& visit) { visit("all", self.all_); }

 private:
  std::vector<Figure> all_;
};

}  // namespace bt::sim
