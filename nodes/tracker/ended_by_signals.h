#pragma once

// What a stop signal does before a node serves: it ends the process there and then. Of the program alone.

#include <signal.h>
#include <unistd.h>

#include <initializer_list>

namespace bt::nodes {

inline constexpr std::initializer_list<int> kStopSignals = {SIGTERM, SIGINT};
// Of a node that was given files which may change while it runs; SIGHUP has it read them again.
inline constexpr std::initializer_list<int> kStopAndReloadSignals = {SIGTERM, SIGINT, SIGHUP};

// Until a node serves there is nothing to end in order: it has acknowledged nothing in this life, and a crash
// in the middle of recovery is what recovery is made for. So a stop signal ends it there and then. While this
// lives it does so also in the middle of a step of this thread, however long that takes. The other threads
// take no signals.
class EndedBySignals {
 public:
  EndedBySignals() {
    for (const int number : kStopSignals) ::signal(number, [](int) { ::_exit(0); });
    Mask(SIG_UNBLOCK);
  }
  ~EndedBySignals() { Mask(SIG_BLOCK); }
  EndedBySignals(const EndedBySignals&) = delete;
  EndedBySignals& operator=(const EndedBySignals&) = delete;

 private:
  static void Mask(int how) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : kStopSignals) sigaddset(&signals, number);
    pthread_sigmask(how, &signals, nullptr);
  }
};

}  // namespace bt::nodes
