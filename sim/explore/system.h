#pragma once

// System<S>: some nodes that are each an S::Machine, the links between them, their disks and a judge, as a
// Model. A state is the number of each node's life, of each link's contents, of what the judge knows, and
// what is left of the budgets.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "sim/explore/judgements.h"
#include "sim/explore/lives.h"
#include "sim/explore/model.h"
#include "sim/explore/queues.h"
#include "sim/explore/scope.h"
#include "sim/explore/sentences.h"
#include "sim/explore/subject.h"

namespace bt::sim::explore {

template <Subject S>
class System final : public Model {
 public:
  using P = typename S::Machine::Protocol;

  // `merge`: alike lives, links and judges are one; otherwise all that came about differently stays apart.
  System(S subject, Scope scope, bool merge = true)
      : subject_(std::move(subject)),
        scope_(scope),
        lives_(subject_, merge),
        judgements_(subject_.FirstJudge(), merge) {
    CHECK(scope.nodes >= 1 && scope.nodes <= kNodesMax);
    CHECK(static_cast<uint32_t>(P::Timer::kCount) <= Budgets::kCalls - Budgets::kTimers);
    CHECK(subject_.calls().size() <= Budgets::kPlaces - Budgets::kCalls);
  }

  size_t size() const override { return judge_place() + 1; }
  std::optional<std::string> Begin(std::span<uint32_t> state) override;
  void List(Words state, std::vector<Choice>& choices) override;
  std::optional<std::string> Take(Words state, Choice choice, std::span<uint32_t> next) override;
  uint64_t Fingerprint(Words state) const override;
  std::vector<std::string> Tell(const std::vector<Choice>& path, bool taken) override;

  // How many there were in any future: states of single nodes, steps of machines, contents of links, states
  // of the judge.
  size_t lives() const { return lives_.size(); }
  size_t steps() const { return lives_.steps(); }
  size_t contents() const { return queues_.size(); }
  size_t judges() const { return judgements_.size(); }

 private:
  using Steps = Lives<S>;

  size_t link(size_t from, size_t to) const { return from * (scope_.nodes - 1) + to - (to > from ? 1 : 0); }
  size_t links() const { return size_t{scope_.nodes} * (scope_.nodes - 1); }
  size_t receiver(size_t link) const {
    const size_t from = link / (scope_.nodes - 1);
    const size_t to = link % (scope_.nodes - 1);
    return to + (to >= from ? 1 : 0);
  }
  size_t queue_place(size_t link) const { return scope_.nodes + link; }
  size_t budget_place() const { return scope_.nodes + links(); }
  size_t judge_place() const { return budget_place() + 2; }
  static NodeId IdOf(size_t node) { return NodeId(static_cast<uint32_t>(node) + 1); }
  static size_t PlaceOf(NodeId node) { return node.value() - 1; }

  Budgets BudgetsOf(Words state) const { return {state[budget_place()], state[budget_place() + 1]}; }
  void SetBudgets(std::span<uint32_t> state, Budgets budgets) const {
    state[budget_place()] = budgets.low();
    state[budget_place() + 1] = budgets.high();
  }
  uint32_t NextCall(size_t kind, Budgets budgets) const {
    return static_cast<uint32_t>(subject_.calls()[kind].size()) -
           budgets.Left(Budgets::kCalls + static_cast<uint32_t>(kind));
  }

  void ListFires(size_t node, Words state, std::vector<Choice>& choices);
  // The node takes this, and what follows from it at once. False: something is wrong.
  bool Act(size_t node, Intake intake, std::span<uint32_t> state);
  bool Follow(size_t node, const typename Steps::Step& step, std::span<uint32_t> state);
  bool Prepare(Words state, Choice choice, std::span<uint32_t> next, size_t& node, Intake& intake);

  const S subject_;
  const Scope scope_;
  Steps lives_;
  Queues queues_;
  Judgements<typename S::Judge> judgements_;
  std::string wrong_;
  std::deque<uint32_t> at_once_;  // messages on their way within the choice
  // The nodes that act in the choice under way, and what is seen of it, for Tell.
  std::vector<std::pair<NodeId, typename Steps::Seen>>* acts_ = nullptr;
};

template <Subject S>
std::optional<std::string> System<S>::Begin(std::span<uint32_t> state) {
  std::fill(state.begin(), state.end(), 0);
  Budgets budgets;
  budgets.Set(Budgets::kCrashes, scope_.crashes);
  budgets.Set(Budgets::kLosses, scope_.losses);
  budgets.Set(Budgets::kDuplicates, scope_.duplicates);
  budgets.Set(Budgets::kOvertakes, scope_.overtakes);
  for (uint32_t timer = 0; timer < static_cast<uint32_t>(P::Timer::kCount); ++timer) {
    budgets.Set(Budgets::kTimers + timer, subject_.Fires(static_cast<typename P::Timer>(timer)));
  }
  for (uint32_t kind = 0; kind < subject_.calls().size(); ++kind) {
    budgets.Set(Budgets::kCalls + kind, static_cast<uint32_t>(subject_.calls()[kind].size()));
  }
  SetBudgets(state, budgets);
  for (size_t node = 0; node < scope_.nodes; ++node) {
    if (!Follow(node, lives_.Begin(IdOf(node)), state)) return wrong_;
  }
  return std::nullopt;
}

template <Subject S>
void System<S>::ListFires(size_t node, Words state, std::vector<Choice>& choices) {
  const Budgets budgets = BudgetsOf(state);
  const uint32_t life = state[node];
  for (uint8_t timer = 0; timer < static_cast<uint8_t>(P::Timer::kCount); ++timer) {
    const uint32_t left = budgets.Left(Budgets::kTimers + timer);
    if ((lives_[life].armed >> timer & 1) == 0 || left == 0) continue;
    const auto what = static_cast<typename P::Timer>(timer);
    if (!subject_.MayFire(what, subject_.Fires(what) - left, IdOf(node))) continue;
    const uint32_t draws = subject_.Draws(what);
    if (draws == 1) {
      choices.push_back({Move::kFire, static_cast<uint8_t>(node), timer, 0});
      continue;
    }
    // Ways to draw that come to the same are one.
    std::array<const typename Steps::Step*, kBudgetMax> steps{};
    CHECK(draws <= steps.size());
    for (uint8_t way = 0; way < draws; ++way) {
      steps[way] = &lives_.Take(life, Intake::Fire(timer, way));
      const bool known = std::any_of(steps.begin(), steps.begin() + way, [&](const auto* other) {
        return other->next == steps[way]->next && other->sight == steps[way]->sight;
      });
      if (!known) choices.push_back({Move::kFire, static_cast<uint8_t>(node), timer, way});
    }
  }
}

template <Subject S>
void System<S>::List(Words state, std::vector<Choice>& choices) {
  choices.clear();
  const Budgets budgets = BudgetsOf(state);
  for (uint8_t link = 0; link < links(); ++link) {
    const size_t length = queues_[state[queue_place(link)]].size();
    if (length == 0) continue;
    choices.push_back({Move::kDeliver, link});
    if (budgets.Left(Budgets::kLosses) > 0) choices.push_back({Move::kLose, link});
    if (budgets.Left(Budgets::kDuplicates) > 0) choices.push_back({Move::kDuplicate, link});
    if (budgets.Left(Budgets::kOvertakes) > 0 && length > 1) choices.push_back({Move::kOvertake, link});
  }
  for (uint8_t node = 0; node < scope_.nodes; ++node) {
    const auto& life = lives_[state[node]];
    if (life.syncing) choices.push_back({Move::kSync, node});
    ListFires(node, state, choices);
    for (uint8_t kind = 0; kind < subject_.calls().size(); ++kind) {
      const bool left = budgets.Left(Budgets::kCalls + kind) > 0;
      if (left && (lives_[state[node]].takes >> kind & 1) != 0) choices.push_back({Move::kCall, node, kind});
    }
    if (budgets.Left(Budgets::kCrashes) > 0) choices.push_back({Move::kCrash, node});
  }
}

// What the choice takes from the links and the budgets; then which node takes what. False: no node does.
template <Subject S>
bool System<S>::Prepare(Words state, Choice choice, std::span<uint32_t> next, size_t& node, Intake& intake) {
  std::copy(state.begin(), state.end(), next.begin());
  Budgets budgets = BudgetsOf(state);
  node = choice.at;
  switch (choice.move) {
    case Move::kDeliver:
    case Move::kLose:
    case Move::kDuplicate:
    case Move::kOvertake: {
      uint32_t& queue = next[queue_place(choice.at)];
      const size_t place = choice.move == Move::kOvertake ? 1 : 0;
      node = receiver(choice.at);
      intake = Intake::Deliver(queues_[queue][place]);
      if (choice.move != Move::kDuplicate) queue = queues_.Without(queue, place);
      if (choice.move == Move::kLose) budgets.Spend(Budgets::kLosses);
      if (choice.move == Move::kDuplicate) budgets.Spend(Budgets::kDuplicates);
      if (choice.move == Move::kOvertake) budgets.Spend(Budgets::kOvertakes);
      break;
    }
    case Move::kSync:
      intake = Intake::Sync();
      break;
    case Move::kFire:
      budgets.Spend(Budgets::kTimers + choice.what);
      intake = Intake::Fire(choice.what, choice.way);
      break;
    case Move::kCall:
      intake = Intake::Call(choice.what, static_cast<uint8_t>(NextCall(choice.what, budgets)));
      budgets.Spend(Budgets::kCalls + choice.what);
      break;
    case Move::kCrash:
      budgets.Spend(Budgets::kCrashes);
      intake = Intake::Crash();
      break;
  }
  SetBudgets(next, budgets);
  return choice.move != Move::kLose;
}

template <Subject S>
std::optional<std::string> System<S>::Take(Words state, Choice choice, std::span<uint32_t> next) {
  size_t node = 0;
  Intake intake = Intake::Sync();
  if (!Prepare(state, choice, next, node, intake)) return std::nullopt;
  at_once_.clear();
  bool right = Act(node, intake, next);
  while (right && !at_once_.empty()) {
    const uint32_t message = at_once_.front();
    at_once_.pop_front();
    right = Act(PlaceOf(lives_.messages()[message].to), Intake::Deliver(message), next);
  }
  return right ? std::nullopt : std::optional(wrong_);
}

template <Subject S>
bool System<S>::Act(size_t node, Intake intake, std::span<uint32_t> state) {
  if (acts_ != nullptr) acts_->emplace_back(IdOf(node), lives_.Watch(state[node], intake));
  if (!Follow(node, lives_.Take(state[node], intake), state)) return false;
  if (!scope_.disk_at_once || !lives_[state[node]].syncing) return true;
  return Act(node, Intake::Sync(), state);
}

template <Subject S>
bool System<S>::Follow(size_t node, const typename Steps::Step& step, std::span<uint32_t> state) {
  state[node] = step.next;
  for (const uint32_t number : step.sends) {
    const auto& message = lives_.messages()[number];
    switch (subject_.WayOf(message.message)) {
      case Way::kAtOnce:
        at_once_.push_back(number);
        break;
      case Way::kLink: {
        uint32_t& queue = state[queue_place(link(node, PlaceOf(message.to)))];
        queue = queues_.Push(queue, number);
        break;
      }
      case Way::kNever:
        break;
    }
  }
  uint32_t& judge = state[judge_place()];
  const std::optional<uint32_t> knows =
      judgements_.See(judge, IdOf(node), step.sight, lives_.sight(step.sight), wrong_);
  if (knows) judge = *knows;
  return knows.has_value();
}

template <Subject S>
uint64_t System<S>::Fingerprint(Words state) const {
  RollingDigest digest;
  for (size_t node = 0; node < scope_.nodes; ++node) digest.Add(lives_[state[node]].digest);
  for (size_t link = 0; link < links(); ++link) {
    const std::vector<uint32_t>& queue = queues_[state[queue_place(link)]];
    digest.Add(queue.size());
    for (const uint32_t message : queue) digest.Add(lives_.messages()[message].digest);
  }
  digest.Add(state[budget_place()], state[budget_place() + 1]);
  digest.Add(judgements_.digest(state[judge_place()]));
  return digest.value();
}

template <Subject S>
std::vector<std::string> System<S>::Tell(const std::vector<Choice>& path, bool taken) {
  std::vector<std::string> lines;
  std::vector<uint32_t> state(size());
  std::vector<uint32_t> next(size());
  (void)Begin(state);
  for (size_t i = 0; i < path.size(); ++i) {
    size_t node = 0;
    Intake intake = Intake::Sync();
    const bool acts = Prepare(state, path[i], next, node, intake);
    std::string line = FaultSentence(path[i].move);
    if (acts && (taken || i + 1 < path.size())) {
      std::vector<std::pair<NodeId, typename Steps::Seen>> seen;
      acts_ = &seen;
      (void)Take(state, path[i], next);
      acts_ = nullptr;
      for (const auto& [actor, sight] : seen) line += StepSentence(subject_, actor, sight);
    } else if (intake.kind() == Intake::Kind::kDeliver) {
      line += MessageSentence(subject_, lives_.messages()[intake.argument()]);
    }
    lines.push_back(std::move(line));
    std::swap(state, next);
  }
  return lines;
}

}  // namespace bt::sim::explore
