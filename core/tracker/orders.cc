#include "core/tracker/orders.h"

#include <utility>
#include <vector>

#include "core/base/overloaded.h"

namespace bt::tracker {
namespace {

constexpr Duration kRetryAfter = Seconds(1);

tracker_api::Response ResponseTo(const paxos::Response& response) {
  using tracker_api::Response;
  return std::visit(
      Overloaded{
          [](const paxos::Noted&) { return Response(); },
          [](const paxos::Refused& refused) {
            return tracker_api::Refuse(tracker_api::Outcome::kConflict, refused.why);
          },
          [](const paxos::Busy&) {
            return tracker_api::Unavailable(
                "another change of the members is under way, or the leader is new; give the order again",
                kRetryAfter);
          },
          [](const auto&) {
            return tracker_api::Unavailable("the leader has changed; give the order again", kRetryAfter);
          },
      },
      response);
}

}  // namespace

void Orders::Submit(CallId call, const Order& order, ReplicaPort& port, Context<Protocol>& context) {
  const paxos::Replica& replica = port.machine();
  if (waiting_.size() >= max_) {
    return context.out.Reply(call,
                             tracker_api::Unavailable("too many orders wait at this node", kRetryAfter));
  }
  if (!replica.leader()) {
    return context.out.Reply(
        call, tracker_api::Unavailable("this node hears no leader; wait, or ask another", kRetryAfter));
  }
  const uint64_t number = next_++;
  waiting_[number] = {call, context.now + deadline_};
  most_.Note(waiting_.size());
  if (replica.is_leader()) return Ask({std::nullopt, number}, order, port, context);
  context.out.Send(*replica.leader(), ForwardOrder{number, order});
}

// The replica answers an order that was carried out already as done, and refuses one that fits the members no
// more: so an order that arrives late or twice, from whichever node, does no harm.
void Orders::Ask(Asker asker, const Order& order, ReplicaPort& port, Context<Protocol>& context) {
  const CallId call(kCallBit | (++next_call_ & kNumberMask));
  asked_[call] = asker;
  std::visit([&](const auto& known) { port.Call(call, known, context); }, order);
}

void Orders::OnForwarded(NodeId from, const ForwardOrder& message, ReplicaPort& port,
                         Context<Protocol>& context) {
  Ask({from, message.number}, message.order, port, context);
}

void Orders::OnReplica(CallId call, const paxos::Response& response, Context<Protocol>& context) {
  const auto found = asked_.find(call);
  if (found == asked_.end()) return;
  const Asker asker = found->second;
  asked_.erase(found);
  OrderAnswer answer{asker.number, ResponseTo(response)};
  if (asker.node) return context.out.Send(*asker.node, std::move(answer));
  OnAnswer(answer, context);
}

void Orders::OnAnswer(const OrderAnswer& message, Context<Protocol>& context) {
  const auto found = waiting_.find(message.number);
  if (found == waiting_.end()) return;
  context.out.Reply(found->second.call, message.response);
  waiting_.erase(found);
}

void Orders::AnswerOverdue(Context<Protocol>& context) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.deadline > context.now) {
      ++it;
      continue;
    }
    context.out.Reply(
        it->second.call,
        tracker_api::Unavailable("the leader has not answered in time; give the order again", kRetryAfter));
    it = waiting_.erase(it);
  }
}

}  // namespace bt::tracker
