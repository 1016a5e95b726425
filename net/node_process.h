#pragma once

// NodeProcess<M>: one machine of any protocol as a real process: its messages over TCP to the other nodes,
// its journal in a data directory, timers, and an orderly end at SIGTERM and SIGINT. NodeMain makes a program
// of it in a main of one line. What the machine notes is printed, one line each: "node 2: Holds{token=7}".
//
// Not here: machines that work on files or on byte-stream links, which need a store or edges of their own
// (net/host.h is what this is made of). A data directory is made where none is: whether a node that has lost
// its own may come back under the same id is for the protocol to say.

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/check.h"
#include "core/base/clocks.h"
#include "core/base/fields.h"
#include "core/base/ids.h"
#include "core/machine/machine.h"
#include "core/machine/runner.h"
#include "net/host.h"
#include "net/message_links.h"
#include "net/node_parts.h"

namespace bt::net {

template <Machine M>
class NodeProcess {
 public:
  using P = typename M::Protocol;
  static_assert(!HasFiles<P>, "a machine that works on files needs a store: see net/host.h");
  static_assert(
      NamesItsClocks<typename P::Message>,
      "a message carries an Instant, which its receiver would take for one of its own clock: send a "
      "Duration or a ForeignInstant (core/base/clocks.h)");
  // Calls under way, at most.
  static constexpr size_t kCallsMax = 65'536;

  NodeProcess(NodeFlags flags, std::unique_ptr<M> machine)
      : flags_(std::move(flags)), unstarted_(std::move(machine)) {}
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  // Reads the journal, starts the machine and returns when a signal, or Stop, ends it. The exit status: 1
  // when it could not begin or its journal has failed, which is said in one line on standard error.
  int Run() {
    StopAtSignals(loop_);
    absl::StatusOr<NodeParts> parts = OpenNode(loop_, flags_);
    if (!parts.ok()) return SayStops(flags_, parts.status()), 1;
    parts_ = *std::move(parts);
    typename Host::Parts with{.journal = parts_.journal.get()};
    host_.emplace(loop_, std::move(unstarted_), *this, with);
    links_.emplace(
        *parts_.links,
        [this](NodeId from, typename P::Message message) {
          host_->Deliver(Received<P>{from, std::move(message)});
        },
        [this](NodeId peer) { host_->Deliver(PeerClosed{peer}); });
    host_->Start(std::move(parts_.recovery.records), parts_.recovery.last);
    if (!failed_) SayReady(flags_, parts_.address);
    if (!failed_) loop_.Run();
    return failed_ ? 1 : 0;
  }

  // --- for edges of one's own, on the loop's thread and while Run runs ---

  Loop& loop() { return loop_; }
  const M& machine() const { return host_->machine(); }
  // `answered` is called once, not from within here unless the machine answers at once. False: too many are
  // under way, and the machine hears nothing of it.
  bool Call(typename P::Request request, std::function<void(typename P::Response)> answered) {
    if (calls_.size() >= kCallsMax) return false;
    const CallId id(++last_call_);
    calls_.emplace(id, std::move(answered));
    host_->Deliver(bt::Call<P>{id, std::move(request)});
    return true;
  }
  void Stop() { loop_.Stop(); }

  // --- for the host: see net/host.h ---

  void SendMessage(NodeId to, const typename P::Message& message) { links_->Send(to, message); }
  void OnReply(CallId call, typename P::Response response) {
    const auto found = calls_.find(call);
    CHECK_MSG(found != calls_.end(), "a machine answers a call once");
    const auto answered = std::move(found->second);
    calls_.erase(found);
    answered(std::move(response));
  }
  void OnNote(const typename P::Note& note) { SayNote(flags_.self, TraceText(note)); }
  void OnFatal(const absl::Status& status) {
    failed_ = true;
    SayStops(flags_, status);
    loop_.Stop();
  }

 private:
  using Host = net::Host<M, NodeProcess>;

  const NodeFlags flags_;
  std::unique_ptr<M> unstarted_;
  bool failed_ = false;
  uint64_t last_call_ = 0;
  absl::flat_hash_map<CallId, std::function<void(typename P::Response)>> calls_;  // look-up only
  Loop loop_;
  NodeParts parts_;  // outlive the host
  std::optional<Host> host_;
  std::optional<MessageLinks<typename P::Message>> links_;
};

// A program that is one node: reads the command line (ParseNodeFlags), makes the machine by `make(flags)` and
// runs it. Returns the exit status: 2 is wrong usage, said in one line.
template <Machine M>
int NodeMain(const NodeProgram& program, const std::function<std::unique_ptr<M>(const NodeFlags&)>& make,
             int argc, char** argv) {
  int exit_status = 0;
  std::optional<NodeFlags> flags = ParseNodeFlags(program, argc, argv, exit_status);
  if (!flags.has_value()) return exit_status;
  std::unique_ptr<M> machine = make(*flags);
  return NodeProcess<M>(*std::move(flags), std::move(machine)).Run();
}

}  // namespace bt::net
