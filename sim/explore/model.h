#pragma once

// Model: a system of which every future is walked, as the search sees it: a state is a few words, a choice
// leads from one to the next or shows that something is wrong. Two states with equal words are one state.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bt::sim::explore {

enum class Move : uint8_t {
  kDeliver,    // the first message of link `at`
  kSync,       // node `at`'s disk completes the oldest step's writes
  kFire,       // timer `what` of node `at`, which then draws in way `way`
  kCall,       // the next call of kind `what`, to node `at`
  kCrash,      // node `at`
  kLose,       // the first message of link `at`
  kDuplicate,  // the first message of link `at`
  kOvertake,   // the second message of link `at` is delivered
};

struct Choice {
  Move move = Move::kDeliver;
  uint8_t at = 0;
  uint8_t what = 0;
  uint8_t way = 0;

  friend bool operator==(const Choice&, const Choice&) = default;
};

using Words = std::span<const uint32_t>;

class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  // How many words a state has, always.
  virtual size_t size() const = 0;
  // The first state; or what is wrong with it.
  virtual std::optional<std::string> Begin(std::span<uint32_t> state) = 0;
  // All that may happen next, in an order that is a function of the state. `choices` is cleared first.
  virtual void List(Words state, std::vector<Choice>& choices) = 0;
  // Takes the choice, one of List's: `next` is then the state after it, unless something is wrong with it:
  // that sentence.
  virtual std::optional<std::string> Take(Words state, Choice choice, std::span<uint32_t> next) = 0;
  // The state's digest, equal in every run and whatever is pruned.
  virtual uint64_t Fingerprint(Words state) const = 0;
  // What happens along these choices from the first state on, a sentence for each. The last one may be one
  // that is wrong, and must not be taken when `taken` is false: it never returned.
  virtual std::vector<std::string> Tell(const std::vector<Choice>& path, bool taken) = 0;
};

}  // namespace bt::sim::explore
