// What replicas say, in words for people.

#include <absl/strings/str_cat.h>

#include <string>
#include <variant>

#include "core/base/fields.h"
#include "sim/explore/paxos_subject.h"

namespace bt::sim::explore {
namespace {

std::string Text(paxos::Ballot ballot) { return absl::StrCat(ballot.round, ".", ballot.node.value()); }

struct Speaker {
  std::string operator()(const paxos::PreVote& m) const {
    return absl::StrCat("would you promise ", Text(m.ballot), "?");
  }
  std::string operator()(const paxos::PreVoteReply& m) const {
    return absl::StrCat(m.granted ? "I would promise " : "I would not promise ", Text(m.ballot));
  }
  std::string operator()(const paxos::Prepare& m) const {
    return absl::StrCat("prepare ", Text(m.ballot), " from slot ", m.from.value());
  }
  std::string operator()(const paxos::Promise& m) const {
    std::string text =
        absl::StrCat("I promise ", Text(m.ballot), ", know ", m.chosen.value(), " slots as chosen");
    for (const paxos::AcceptedEntry& entry : m.entries) {
      absl::StrAppend(&text, ", accepted ", Value(entry.value), " in slot ", entry.slot.value(), " under ",
                      Text(entry.ballot));
    }
    return text;
  }
  std::string operator()(const paxos::Accept& m) const {
    return absl::StrCat("accept ", Value(m.value), " in slot ", m.slot.value(), " under ", Text(m.ballot),
                        ", ", m.chosen.value(), " slots are chosen");
  }
  std::string operator()(const paxos::Accepted& m) const {
    return absl::StrCat("I accepted slot ", m.slot.value(), " under ", Text(m.ballot));
  }
  std::string operator()(const paxos::Rejected& m) const {
    return absl::StrCat("I reject ", Text(m.ballot), " and have promised ", Text(m.promised));
  }
  std::string operator()(const paxos::Heartbeat& m) const {
    return absl::StrCat("I lead with ", Text(m.ballot), ", beat ", m.beat);
  }
  std::string operator()(const paxos::HeartbeatReply& m) const {
    return absl::StrCat("I follow ", Text(m.ballot), ", beat ", m.beat);
  }
  std::string operator()(const paxos::Watermark& m) const {
    return absl::StrCat(m.chosen.value(), " slots are chosen");
  }
  std::string operator()(const paxos::CatchUp& m) const {
    return absl::StrCat("what is chosen from slot ", m.from.value(), " on?");
  }
  std::string operator()(const paxos::CatchUpReply& m) const {
    std::string text = "chosen:";
    Slot slot = m.from;
    for (const Slice& value : m.values) {
      absl::StrAppend(&text, " ", Value(value), " in slot ", slot.value());
      ++slot;
    }
    return m.values.empty() ? "nothing more is chosen" : text;
  }
  template <class Other>
  std::string operator()(const Other& other) const {
    return TraceText(other);
  }

  static std::string Value(const Slice& value) {
    const paxos::Batch batch = paxos::DecodeBatch(value);
    return batch.commands.empty() ? "a no-op"
                                  : absl::StrCat("\"", std::string(batch.commands.front().view()), "\"");
  }
};

struct Noter {
  std::string operator()(const paxos::BecameLeader& n) const {
    return absl::StrCat("leads with ", Text(n.ballot));
  }
  std::string operator()(const paxos::SteppedDown& n) const {
    return absl::StrCat("leads with ", Text(n.ballot), " no more");
  }
  std::string operator()(const paxos::Chosen& n) const {
    return absl::StrCat("knows slot ", n.slot.value(), " as chosen");
  }
  std::string operator()(const paxos::Promised& n) const { return absl::StrCat("promises ", Text(n.ballot)); }
  template <class Other>
  std::string operator()(const Other&) const {
    return "";
  }
};

}  // namespace

std::string PaxosSubject::Words(const paxos::Message& message) const {
  return std::visit(Speaker(), message);
}

std::string PaxosSubject::Words(const paxos::Note& note) const { return std::visit(Noter(), note); }

std::string PaxosSubject::Words(Timer timer) const {
  switch (timer) {
    case Timer::kElection:
      return "election";
    case Timer::kHeartbeat:
      return "heartbeat";
    case Timer::kCatchUp:
      return "catch-up";
    case Timer::kSnapshot:
    case Timer::kCount:
      break;
  }
  return "snapshot";
}

std::string PaxosSubject::Words(const paxos::Request& request) const {
  const auto* propose = std::get_if<paxos::Propose>(&request);
  return propose != nullptr ? absl::StrCat("put \"", std::string(propose->command.view()), "\" into the log")
                            : "read";
}

}  // namespace bt::sim::explore
