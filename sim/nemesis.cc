#include "sim/nemesis.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace bt::sim {
namespace {

constexpr uint32_t kNoActWeight = 1;

}  // namespace

Nemesis::Nemesis(World& world, Network& network, Streams* streams, FaultPlan plan,
                 std::vector<Process*> victims, std::vector<uint32_t> bystanders)
    : world_(world),
      network_(network),
      streams_(streams),
      plan_(plan),
      rng_(world.Stream("nemesis")),
      victims_(std::move(victims)),
      bystanders_(std::move(bystanders)) {
  for (size_t i = 0; i < victims_.size(); ++i) states_.push_back({rng_.Fork("restart", i)});
}

void Nemesis::Later(Kind kind, uint64_t detail, Duration delay) {
  world_.After(delay, this, Packed{kind, 0, detail}.packed());
}

void Nemesis::Begin() {
  if (victims_.empty()) return;
  Later(Kind::kTick, 0, Upto(rng_, plan_.interval * 2));
}

void Nemesis::Fire(uint64_t argument) {
  if (over_) return;
  const auto [kind, unused, detail] = Packed::From(argument);
  switch (kind) {
    case Kind::kTick:
      Revive();
      Act();
      Later(Kind::kTick, 0, Upto(rng_, plan_.interval * 2));
      return;
    case Kind::kRestart:
      states_[detail].restart_due = false;
      if (!victims_[detail]->alive()) {
        world_.Count(Fault::kRestart, {victims_[detail]->index()});
        victims_[detail]->Start();
      }
      return;
    case Kind::kResume:
      states_[detail].resume_due = false;
      if (victims_[detail]->alive() && victims_[detail]->stalled()) victims_[detail]->Resume();
      return;
    case Kind::kQuicken:
      return victims_[detail]->SetPace(Duration{0});
    case Kind::kMend:
      for (const Cut& cut : mends_[detail]) {
        network_.Cut(cut.from, cut.to, false);
        network_.Slow(cut.from, cut.to, Duration{0});
        network_.Break(cut.from, cut.to, 0);
      }
      if (streams_ != nullptr) streams_->Wake();
      return;
  }
}

// A process may also die by itself (in the middle of a write): whoever is dead is restarted some day.
void Nemesis::Revive() {
  for (size_t i = 0; i < victims_.size(); ++i) {
    if (victims_[i]->alive() || states_[i].restart_due) continue;
    states_[i].restart_due = true;
    Later(Kind::kRestart, i, Upto(states_[i].restarts, plan_.down_max));
  }
}

size_t Nemesis::Healthy() const {
  return static_cast<size_t>(std::count_if(victims_.begin(), victims_.end(), [](const Process* process) {
    return process->alive() && !process->stalled();
  }));
}

void Nemesis::Act() {
  // Each act draws from a stream of its own, so that one that is left out changes nothing of the others. The
  // simplest act is none.
  RandomStream rng = rng_.Fork("act", ++acts_);
  const struct {
    uint32_t weight;
    void (Nemesis::*act)(RandomStream&);
  } acts[] = {
      {kNoActWeight, nullptr},
      {plan_.crash, &Nemesis::CrashOne},
      {plan_.stall, &Nemesis::StallOne},
      {plan_.damage, &Nemesis::DamageOne},
      {plan_.clock_jump, &Nemesis::JumpClock},
      {plan_.partition, &Nemesis::Partition},
      {plan_.one_way, &Nemesis::PartitionOneWay},
      {plan_.slow_link, &Nemesis::SlowLink},
      {plan_.broken_link, &Nemesis::BreakLink},
      {plan_.lossy_link, &Nemesis::LoseSome},
      {plan_.slow_replies, &Nemesis::DelayReplies},
      {plan_.slow_process, &Nemesis::SlowDown},
  };
  std::vector<uint32_t> weights;
  for (const auto& act : acts) weights.push_back(act.weight);
  if (const auto act = acts[rng.Weighted(weights)].act; act != nullptr) (this->*act)(rng);
}

void Nemesis::CrashOne(RandomStream& rng) {
  if (!plan_.everyone_may_be_down && Healthy() <= victims_.size() / 2 + 1) return;
  // Those that are writing are three times as likely to be hit.
  std::vector<size_t> candidates;
  for (size_t i = 0; i < victims_.size(); ++i) {
    if (!victims_[i]->alive()) continue;
    candidates.insert(candidates.end(), victims_[i]->writing() ? 3 : 1, i);
  }
  if (candidates.empty()) return;
  const size_t victim = candidates[rng.Below(candidates.size())];
  world_.Count(victims_[victim]->writing() ? Fault::kCrashWhileWriting : Fault::kCrash,
               {victims_[victim]->index()});
  victims_[victim]->Crash();
  Revive();
}

void Nemesis::StallOne(RandomStream& rng) {
  if (!plan_.everyone_may_be_down && Healthy() <= victims_.size() / 2 + 1) return;
  const size_t victim = rng.Below(victims_.size());
  if (!victims_[victim]->alive() || victims_[victim]->stalled() || states_[victim].resume_due) return;
  world_.Count(Fault::kStall, {victims_[victim]->index()});
  victims_[victim]->Stall();
  states_[victim].resume_due = true;
  Later(Kind::kResume, victim, Upto(rng, plan_.stall_max));
}

void Nemesis::JumpClock(RandomStream& rng) {
  Process& victim = *victims_[rng.Below(victims_.size())];
  if (!victim.alive() || victim.stalled()) return;
  world_.Count(Fault::kClockJump, {victim.index()});
  victim.JumpClock(Upto(rng, plan_.jump_max));
}

// Its machine loses power, and when it is back something is wrong with its disk.
void Nemesis::DamageOne(RandomStream& rng) {
  if (damageable_ == nullptr) return;
  const std::vector<Process*> members = damageable_();
  std::vector<Process*> sound;
  std::copy_if(members.begin(), members.end(), std::back_inserter(sound),
               [](const Process* process) { return !process->damaged(); });
  const size_t damaged = members.size() - sound.size();
  if (sound.empty() || (damaged + 1) * 2 >= members.size()) return;
  Process& victim = *sound[rng.Below(sound.size())];
  if (victim.alive()) victim.Crash();
  victim.DamageDisk();
  Revive();
}

void Nemesis::CutApart(RandomStream& rng, bool one_way) {
  std::vector<uint32_t> everyone;
  for (const Process* victim : victims_) everyone.push_back(victim->index());
  everyone.insert(everyone.end(), bystanders_.begin(), bystanders_.end());
  std::vector<bool> side(everyone.size());
  for (size_t i = 0; i < everyone.size(); ++i) side[i] = rng.Chance(1, 2);
  std::vector<Cut> cuts;
  for (size_t a = 0; a < everyone.size(); ++a) {
    for (size_t b = 0; b < everyone.size(); ++b) {
      if (!side[a] || side[b]) continue;
      cuts.push_back({everyone[a], everyone[b]});
      if (!one_way) cuts.push_back({everyone[b], everyone[a]});
    }
  }
  if (cuts.empty()) return;
  world_.Count(one_way ? Fault::kOneWayPartition : Fault::kPartition, {}, [&] {
    std::string text = "from endpoints";
    for (size_t i = 0; i < everyone.size(); ++i) {
      if (side[i]) text += " " + std::to_string(everyone[i]);
    }
    return text + " to all others";
  });
  for (const Cut& cut : cuts) network_.Cut(cut.from, cut.to, true);
  MendLater(rng, std::move(cuts));
}

void Nemesis::MendLater(RandomStream& rng, std::vector<Cut> cuts) {
  mends_.push_back(std::move(cuts));
  Later(Kind::kMend, mends_.size() - 1, Upto(rng, plan_.cut_max));
}

Nemesis::Cut Nemesis::DrawLink(RandomStream& rng, Fault fault) {
  const uint32_t from = victims_[rng.Below(victims_.size())]->index();
  const uint32_t to = victims_[rng.Below(victims_.size())]->index();
  world_.Count(fault, {from, to});
  return {from, to};
}

void Nemesis::SlowLink(RandomStream& rng) {
  const Cut link = DrawLink(rng, Fault::kSlowLink);
  network_.Slow(link.from, link.to, Upto(rng, kSlowLinkMax));
  MendLater(rng, {link});
}

void Nemesis::BreakLink(RandomStream& rng) {
  const Cut link = DrawLink(rng, Fault::kBrokenLink);
  network_.Break(link.from, link.to, static_cast<uint32_t>(rng.Between(200'000, 1'000'000)));
  MendLater(rng, {link});
}

void Nemesis::LoseSome(RandomStream& rng) {
  const Cut link = DrawLink(rng, Fault::kLossyLink);
  network_.Break(link.from, link.to, 20'000);
  network_.Break(link.to, link.from, 20'000);
}

// What it has promised or accepted is heard of when others have long been elected.
void Nemesis::DelayReplies(RandomStream& rng) {
  const uint32_t from = victims_[rng.Below(victims_.size())]->index();
  world_.Count(Fault::kSlowReplies, {from});
  const Duration late = rng.Between(Milliseconds(300), kLateRepliesMax);
  std::vector<Cut> links;
  for (const Process* other : victims_) {
    links.push_back({from, other->index()});
    network_.Slow(from, other->index(), late);
  }
  MendLater(rng, std::move(links));
}

void Nemesis::SlowDown(RandomStream& rng) {
  const size_t victim = rng.Below(victims_.size());
  world_.Count(Fault::kSlowProcess, {victims_[victim]->index()});
  victims_[victim]->SetPace(Upto(rng, plan_.pace_max));
  Later(Kind::kQuicken, victim, Upto(rng, plan_.stall_max));
}

void Nemesis::Heal(const std::vector<Process*>& core) {
  over_ = true;
  world_.Trace({.who = "nemesis"}, [] { return std::string("the safety phase is over: healing the core"); });
  std::vector<uint32_t> members = bystanders_;
  for (Process* victim : victims_) {
    if (std::find(core.begin(), core.end(), victim) != core.end()) {
      members.push_back(victim->index());
      continue;
    }
    world_.Count(Fault::kPermanentStop, {victim->index()});
    // Damage that nobody has looked at yet is refused now, or was none.
    if (victim->damaged() && !victim->alive()) {
      victim->StopFaults();
      victim->Start();
    }
    switch (rng_.Fork("stop", victim->index()).Below(3)) {
      case 0:
        if (victim->alive()) victim->Crash();
        break;
      case 1:
        if (victim->alive() && !victim->stalled()) victim->Stall();
        break;
      default:
        network_.Isolate(victim->index());
        break;
    }
  }
  network_.Heal(members);
  if (streams_ != nullptr) streams_->StopFaults();
  for (Process* process : core) {
    process->StopFaults();
    if (!process->alive()) {
      process->Start();
    } else if (process->stalled()) {
      process->Resume();
    }
  }
}

}  // namespace bt::sim
