#include "sim/scenarios/swarm_user.h"

namespace bt::sim {

SwarmUser::SwarmUser(World& world, SwarmWorld& swarm)
    : world_(world),
      swarm_(swarm),
      rng_(world.Stream("swarm user")),
      stop_percent_(rng_.Chance(1, 2) ? static_cast<uint32_t>(rng_.Between(5, 60)) : 0),
      cut_percent_(rng_.Chance(1, 4) ? static_cast<uint32_t>(rng_.Between(1, 20)) : 0),
      edit_percent_(rng_.Chance(1, 4) ? static_cast<uint32_t>(rng_.Between(5, 40)) : 0) {}

void SwarmUser::Quiet() {
  quiet_ = true;
  for (size_t i = 0; i < swarm_.clients().size(); ++i) {
    ClientHost& client = *swarm_.clients()[i];
    if (!client.adaptor().edited()) continue;
    client.adaptor().FilePutBack(client);
    LookSoon(i);
  }
}

void SwarmUser::LookSoon(size_t client) {
  world_.After(rng_.Between(Milliseconds(1), Seconds(2)), this, 1 + client);
}

void SwarmUser::Begin() { world_.After(rng_.Between(Milliseconds(1), Seconds(1)), this, 0); }

void SwarmUser::Fire(uint64_t argument) {
  if (argument > 0) {
    ClientHost& client = *swarm_.clients()[argument - 1];
    client.adaptor().FileLookedAt(client);
    // Again while what was told is being hashed.
    if (quiet_ || !client.adaptor().edited() || !rng_.Chance(1, 3)) return;
    swarm_.EditFile(client);
    return world_.After(rng_.Between(Microseconds(1), Microseconds(400)), this, argument);
  }
  for (const auto& client : swarm_.clients()) {
    if (!client->alive() || client->stalled() || !client->machine()->stopped()) continue;
    // Who was told to stop in the last moment begins again.
    const bool again = quiet_ && !client->adaptor().finished();
    if (again || !quiet_) client->Crash();
    if (again) client->Start();
  }
  if (!quiet_) Act();
  world_.After(rng_.Between(Milliseconds(50), Seconds(1)), this, 0);
}

void SwarmUser::Act() {
  const size_t which = rng_.Below(swarm_.clients().size());
  ClientHost& client = *swarm_.clients()[which];
  const ClientPlan& plan = client.adaptor().plan();
  if (!plan.honest || !client.alive() || client.machine()->stopped()) return;
  if (rng_.Chance(stop_percent_, 100)) {
    world_.Trace({.who = "user"}, [&] { return "stops " + client.name(); });
    client.Call(CallId(1), swarm::Stop{});
  } else if (!plan.downloads && rng_.Chance(cut_percent_, 100)) {
    swarm_.CutShort(client);
  } else if (!plan.downloads && rng_.Chance(edit_percent_, 100)) {
    swarm_.EditFile(client);
    LookSoon(which);
  }
}

}  // namespace bt::sim
