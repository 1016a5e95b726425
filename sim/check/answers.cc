#include "sim/check/answers.h"

#include <absl/strings/str_format.h>

#include <algorithm>

namespace bt::sim {
namespace {

// A node that runs steps more often: it beats, or hears beats, or repeats what is pending.
constexpr Duration kSilence = Milliseconds(600);

std::string ClientText(uint32_t client) {
  return client == AnswerJudge::kOperator ? "the operator" : absl::StrFormat("client %d", client);
}

}  // namespace

void AnswerJudge::OnStart(Instant now, Duration bound) {
  last_step_ = now;
  bound_ = bound;
}

void AnswerJudge::OnCall(CallId call, uint32_t client, Instant now, Duration more) {
  open_[call] = {client, now, world_.now(), stalled_, more};
}

void AnswerJudge::OnHungUp(CallId call) {
  if (open_.erase(call) > 0) hung_up_.insert(call);
}

void AnswerJudge::OnReply(CallId call, Instant now) {
  NoticeStall(now);
  const auto found = open_.find(call);
  if (found != open_.end()) {
    JudgeWait(found->second, now);
    open_.erase(found);
  } else if (hung_up_.erase(call) == 0) {
    world_.Fail(
        absl::StrFormat("answers: %s answers call %d, which it has answered before", node_, call.value()));
  }
}

void AnswerJudge::NoticeStall(Instant now) {
  if (now - last_step_ > kSilence) stalled_ = stalled_ + (now - last_step_);
  last_step_ = now;
}

void AnswerJudge::OnStep(Instant now) {
  NoticeStall(now);
  if (!open_.empty()) JudgeWait(open_.begin()->second, now);
}

void AnswerJudge::JudgeWait(const Open& call, Instant now) {
  if (now - call.since - (stalled_ - call.stalled_before) > bound_ + call.more) {
    world_.Fail(absl::StrFormat(
        "answers: %s has not answered %s since %s of its clock, and should within %d ms", node_,
        ClientText(call.client), TimeText(call.since), (bound_ + call.more).ns / 1'000'000));
  }
  if (prompt_from_ == Instant::Never()) return;
  if (world_.now() - std::max(call.since_in_world, prompt_from_) > prompt_within_ + call.more) {
    world_.Fail(absl::StrFormat(
        "availability: %s has not answered %s, which asked at %s; writes and reads should have resumed by %s",
        node_, ClientText(call.client), TimeText(call.since_in_world), TimeText(prompt_from_)));
  }
}

void AnswerJudge::OnEnded() {
  open_.clear();
  hung_up_.clear();
}

void AnswerJudge::ExpectPromptness(Instant from, Duration within) {
  prompt_from_ = from;
  prompt_within_ = within;
}

}  // namespace bt::sim
