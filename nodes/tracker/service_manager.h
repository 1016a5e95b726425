#pragma once

// What a service manager is told about this process, by sd_notify(3)'s protocol: a datagram to the Unix
// socket that the environment names in NOTIFY_SOCKET. Without one nothing happens.

namespace bt::nodes {

inline constexpr const char* kServiceReady = "READY=1";
inline constexpr const char* kServiceStopping = "STOPPING=1";

// Never waits: a manager that takes nothing misses it.
void NotifyServiceManager(const char* state);

}  // namespace bt::nodes
