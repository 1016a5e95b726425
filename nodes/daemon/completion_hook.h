#pragma once

// CompletionHook: runs a program of the user's for each download that is complete, without a shell: what a
// stranger has called a torrent is an argument and nothing else. A few run at once, the others wait; each
// ends when it likes, also after the daemon. Loop thread only.

#include <absl/container/btree_map.h>
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "net/fd.h"
#include "net/loop.h"

namespace bt::nodes {

class CompletionHook {
 public:
  static constexpr size_t kRunningMax = 4;
  static constexpr size_t kWaitingMax = 256;  // beyond, a completion is said on stderr alone

  // `program`: its absolute path; empty: none, and nothing is run.
  CompletionHook(net::Loop& loop, std::string program);
  CompletionHook(const CompletionHook&) = delete;
  CompletionHook& operator=(const CompletionHook&) = delete;

  // PROGRAM ID NAME PATH. How it ends is said on stderr.
  void Run(uint64_t id, std::string name, std::string path);
  size_t running() const { return running_.size(); }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Completed {
    uint64_t id = 0;
    std::string name;
    std::string path;
  };
  struct Child {
    uint64_t id = 0;  // of the transfer
    pid_t pid = 0;
    net::Fd fd;  // of the process (pidfd_open(2)): readable once it has ended
    std::unique_ptr<net::Watcher> watcher;
  };
  void StartWaiting();
  void Start(const Completed& completed);
  void OnEnded(uint64_t number);
  void Say(uint64_t id, const std::string& what) const;

  net::Loop& loop_;
  const std::string program_;
  std::deque<Completed> waiting_;             // at most kWaitingMax
  absl::btree_map<uint64_t, Child> running_;  // at most kRunningMax
  uint64_t next_ = 1;
};

}  // namespace bt::nodes
