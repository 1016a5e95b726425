#include "sim/check/registry_history.h"

#include <absl/strings/str_format.h>

#include "core/base/check.h"

namespace bt::sim {
bool NameSpec::Apply(State& state, const Op& op) {
  if (!op.registers) return op.answer == Answer::kNone || op.content == state;
  const State before = state;
  if (op.answer == Answer::kFull) return before == 0;
  if (state == 0) state = op.content;
  switch (op.answer) {
    case Answer::kNone:
      return true;
    case Answer::kCreated:
      return before == 0;
    case Answer::kSameAgain:
      return before == op.content;
    case Answer::kBound:
      return before == 0 || before == op.content;
    case Answer::kConflict:
      return before != 0 && before != op.content;
    case Answer::kFound:
    case Answer::kFull:
      break;
  }
  return false;
}

// Only what was answered kCreated, or not at all, can have bound the name.
bool NameSpec::ChangesNothing(const Op& op) {
  return !op.registers || op.answer == Answer::kSameAgain || op.answer == Answer::kConflict ||
         op.answer == Answer::kFull;
}

std::string NameSpec::DescribeState(State state) {
  return state == 0 ? "not bound" : absl::StrFormat("bound to content %d", state);
}

std::string NameSpec::Describe(const Op& op) {
  if (!op.registers) {
    if (op.answer == Answer::kNone) return "fetch";
    return op.content == 0 ? "fetch: not found" : absl::StrFormat("fetch: content %d", op.content);
  }
  static constexpr const char* kAnswers[] = {"", ": created", ": the same again", ": conflict",
                                             "", ": no room", ": bound"};
  return absl::StrFormat("register content %d%s", op.content, kAnswers[static_cast<size_t>(op.answer)]);
}

RegistryHistory::OpId RegistryHistory::BeginRegister(uint32_t client, const std::string& name,
                                                     ContentNumber content) {
  ops_.push_back({name, {world_.now(), Instant::Never(), client, {true, content, NameSpec::Answer::kNone}}});
  return ops_.size() - 1;
}

RegistryHistory::OpId RegistryHistory::BeginFetch(uint32_t client, const std::string& name) {
  ops_.push_back({name, {world_.now(), Instant::Never(), client, {false, 0, NameSpec::Answer::kNone}}});
  return ops_.size() - 1;
}

void RegistryHistory::Bind(const std::string& name, ContentNumber content, const char* where) {
  const auto [known, inserted] = bindings_.try_emplace(name, content);
  if (!inserted && known->second != content) {
    world_.Fail(absl::StrFormat("uniqueness: the name %s is bound to content %d, and %s says content %d",
                                name, known->second, where, content));
  }
}

void RegistryHistory::SawBinding(const std::string& name, ContentNumber content, const char* where) {
  if (content != 0) Bind(name, content, where);
}

void RegistryHistory::EndRegister(OpId op, NameSpec::Answer answer) {
  Entry& entry = ops_[op];
  CHECK(entry.timed.op.registers && entry.timed.returned == Instant::Never());
  entry.timed.returned = world_.now();
  entry.timed.op.answer = answer;
  if (answer == NameSpec::Answer::kConflict || answer == NameSpec::Answer::kFull) return;
  ++acknowledged_;
  Bind(entry.name, entry.timed.op.content, "the answer to a registration");
  if (answer == NameSpec::Answer::kCreated && !created_.insert(entry.name).second) {
    world_.Fail(
        absl::StrFormat("uniqueness: two registrations were told that they created the name %s", entry.name));
  }
}

void RegistryHistory::EndFetch(OpId op, ContentNumber found) {
  Entry& entry = ops_[op];
  entry.timed.returned = world_.now();
  entry.timed.op.content = found;
  entry.timed.op.answer = NameSpec::Answer::kFound;
  SawBinding(entry.name, found, "a linearizable fetch");
}

void RegistryHistory::Judge() {
  absl::btree_map<std::string, std::vector<Timed<NameSpec::Op>>> by_name;
  for (const Entry& entry : ops_) by_name[entry.name].push_back(entry.timed);
  for (const auto& [name, history] : by_name) {
    LinearizabilitySearch<NameSpec> search(history);
    const Linearizable verdict = search.Run();
    if (verdict == Linearizable::kYes) continue;
    world_.Fail(absl::StrFormat("linearizability: the history of the name %s %s:\n%s", name,
                                verdict == Linearizable::kNo
                                    ? "has no order that explains its answers"
                                    : "could not be decided within the search's bound",
                                search.Timeline()));
    return;
  }
}

}  // namespace bt::sim
