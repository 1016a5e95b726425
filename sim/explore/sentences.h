#pragma once

// Steps in plain sentences, for people who read a counterexample.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <string>
#include <vector>

#include "sim/explore/messages.h"
#include "sim/explore/model.h"
#include "sim/explore/sight.h"
#include "sim/explore/subject.h"

namespace bt::sim::explore {

// What the surroundings do to a message or a node, before what comes of it; "" where nothing is done.
inline std::string FaultSentence(Move move) {
  switch (move) {
    case Move::kLose:
      return "The network loses a message. ";
    case Move::kDuplicate:
      return "The network delivers a copy of a message. ";
    case Move::kOvertake:
      return "A message overtakes the one before it. ";
    case Move::kCrash:
      return "A node crashes. ";
    case Move::kDeliver:
    case Move::kSync:
    case Move::kFire:
    case Move::kCall:
      break;
  }
  return "";
}

template <Subject S>
std::string MessageSentence(const S& subject,
                            const typename Messages<typename S::Machine::Protocol>::Known& message) {
  return absl::StrCat("On its way from node ", message.from.value(), " to node ", message.to.value(), ": ",
                      subject.Words(message.message), ". ");
}

template <Subject S>
class StepTeller {
 public:
  using P = typename S::Machine::Protocol;

  StepTeller(const S& subject, NodeId node) : subject_(subject), node_(absl::StrCat("Node ", node.value())) {}

  void operator()(const Began& began) {
    cause_ = absl::StrCat(node_, " begins a life with ", began.durable.value(), " records");
  }
  void operator()(const Wrote&) { ++writes_; }
  void operator()(const Synced&) { cause_ = absl::StrCat(node_, "'s disk completes the oldest writes"); }
  void operator()(const Heard<P>& heard) {
    cause_ =
        absl::StrCat(node_, " hears from node ", heard.from.value(), ": ", subject_.Words(heard.message));
  }
  void operator()(const Fired<P>& fired) {
    cause_ = absl::StrCat(node_, "'s timer fires: ", subject_.Words(fired.timer));
  }
  void operator()(const Asked<P>& asked) {
    cause_ = absl::StrCat(node_, " is called: ", subject_.Words(asked.request));
  }
  void operator()(const Told<P>& told) {
    effects_.push_back(
        absl::StrCat("tells node ", told.to.value(), " \"", subject_.Words(told.message), "\""));
  }
  void operator()(const Answered<P>&) { effects_.push_back("answers the call"); }
  void operator()(const Noted<P>& noted) {
    if (std::string words = subject_.Words(noted.note); !words.empty()) effects_.push_back(std::move(words));
  }
  template <class Look>
  void operator()(const Ended<Look>&) {}

  std::string Take() {
    if (writes_ > 0)
      effects_.push_back(absl::StrCat("writes ", writes_, writes_ == 1 ? " record" : " records"));
    if (effects_.empty()) return cause_ + ". ";
    return absl::StrCat(cause_, ". It ", absl::StrJoin(effects_, ", "), ". ");
  }

 private:
  const S& subject_;
  std::string node_;
  std::string cause_;
  size_t writes_ = 0;
  std::vector<std::string> effects_;
};

template <Subject S, class Seen>
std::string StepSentence(const S& subject, NodeId node, const Seen& seen) {
  StepTeller<S> teller(subject, node);
  for (const auto& event : seen) std::visit(teller, event);
  return teller.Take();
}

}  // namespace bt::sim::explore
