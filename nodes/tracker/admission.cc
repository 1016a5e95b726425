#include "nodes/tracker/admission.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "core/base/fields.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// Between two lines for the operator about the same waiting.
constexpr Duration kNotePause = Seconds(30);

AdmissionAnswer Wait(std::string why) { return {.why = std::move(why)}; }

bool SamePlace(const net::HostAndPort& one, const net::HostAndPort& other) {
  return one == other && !one.IsAnywhere() && one.port != 0;
}

}  // namespace

std::string ContactText(const MemberAddress& address) {
  return absl::StrCat(address.replica.ToString(), "/", address.client.ToString());
}

// --- AdmissionDesk ---

Slice AdmissionDesk::Answer(const Slice& question) {
  const absl::StatusOr<AdmissionQuestion> asked = Decode<AdmissionQuestion>(question);
  const bool known = asked.ok() && asked->version == AdmissionQuestion::kVersion;
  return Slice::Own(Encode(known ? Decide(*asked) : Wait("the node asked is of another version")));
}

AdmissionAnswer AdmissionDesk::Admitted(NodeId id, const AdmissionQuestion& question) const {
  AdmissionAnswer answer{.admission = Admission::kAdmitted, .id = id};
  for (const paxos::Member& member : members().members) {
    if (member.id == id || member.id == question.replaces) continue;
    const std::optional<MemberAddress> where = where_is_(member.id);
    if (where) answer.members.push_back({member.id, ContactText(*where)});
  }
  return answer;
}

// Of two members at one address the younger one was let in there last.
NodeId AdmissionDesk::Replaced(const AdmissionQuestion& question, const MemberAddress& contact) const {
  if (question.replaces != NodeId(0)) return question.replaces;
  NodeId replaced;
  for (const paxos::Member& member : members().members) {
    const std::optional<MemberAddress> where = where_is_(member.id);
    if (where && SamePlace(where->replica, contact.replica)) replaced = member.id;
  }
  return replaced;
}

AdmissionAnswer AdmissionDesk::Decide(const AdmissionQuestion& question) {
  const absl::StatusOr<MemberAddress> contact = ParseMemberAddress(question.contact);
  if (!contact.ok()) return Wait("its own address is none: give its --node entry one");
  if (members().members.empty()) return Wait("the node asked does not know the members itself yet");
  for (const paxos::Member& member : members().members) {
    if (member.incarnation == question.incarnation) return Admitted(member.id, question);
  }
  if (!node_.replica().has_quorum()) return Wait("no majority of the members is there to let it in");
  // An operator has added it already, and waits for it.
  const paxos::Member* added = members().Find(question.id);
  if (added != nullptr && added->kind == paxos::MemberKind::kLearner && added->incarnation == 0) {
    return Admitted(question.id, question);
  }
  const NodeId replaced = Replaced(question, *contact);
  const uint32_t next = members().highest.value() + 1;
  if (replaced == NodeId(0)) {
    AdmissionAnswer answer = Admitted(question.id, question);
    answer.admission = Admission::kNobody;
    if (question.id.value() >= next) return answer;
    return Wait(absl::StrCat("the id ", question.id.value(), " is or was another's, and no member is at ",
                             contact->replica.ToString(), ": initialise it with an id from ", next,
                             " on, or with the address of the member it is to replace"));
  }
  if (members().Find(replaced) == nullptr) {
    return Wait(absl::StrCat("node ", replaced.value(),
                             " is a member no longer; to add this one as a new node, initialise an empty "
                             "directory with --join and an id from ",
                             next, " on"));
  }
  return Order(question, *contact, replaced);
}

AdmissionAnswer AdmissionDesk::Order(const AdmissionQuestion& question, const MemberAddress& contact,
                                     NodeId replaced) {
  // An address that only means "here" is of no use to others, who know a better one.
  std::string place = question.contact;
  if (contact.replica.IsAnywhere()) {
    const std::optional<MemberAddress> where = where_is_(replaced);
    if (!where || where->replica.IsAnywhere()) return Wait("nobody knows an address of it");
    place = ContactText(*where);
  }
  if (asking_) return Wait("another change of the members is under way");
  const std::optional<CallId> call = router_.Open(*this, question.incarnation);
  if (!call) return Wait("too many requests are under way at the node asked");
  std::string why = question.incarnation == refused_for_ ? refused_why_ : "";
  asking_ = true;
  router_.Ask(*call, tracker::Order(paxos::Readmit{question.id, replaced, question.incarnation, place}));
  return Wait(why.empty() ? "the leader has been asked to let it in" : std::move(why));
}

void AdmissionDesk::OnReply(uint64_t number, tracker_api::Response response) {
  asking_ = false;
  refused_for_ = number;
  refused_why_ = response.outcome == tracker_api::Outcome::kOk ? "" : response.reason;
}

// --- AdmissionSeeker ---

AdmissionRequest AdmissionRequestOf(const TrackerFlags& flags, const NodeState& state,
                                    const net::ReplicaTls* tls) {
  AdmissionRequest request{.state = state, .tls = tls};
  request.levels.newest = flags.newest_level;
  for (const auto& [id, member] : flags.members) {
    if (id != flags.self) request.places.push_back(member.replica);
  }
  request.question = {.incarnation = state.incarnation,
                      .id = state.replaces == NodeId(0) ? state.entry : NodeId(0),
                      .replaces = state.replaces,
                      .contact = ContactText(flags.own())};
  return request;
}

AdmissionSeeker::AdmissionSeeker(net::Loop& loop, AdmissionRequest request,
                                 std::function<void(AdmissionAnswer)> admitted,
                                 std::function<void(std::string)> note)
    : admitted_(std::move(admitted)),
      note_(std::move(note)),
      loop_(loop),
      guest_(
          loop,
          {.cluster = ClusterId(request.state.secret),
           .secret = request.state.secret,
           .tls = request.tls,
           .oldest_level = request.levels.oldest,
           .newest_level = request.levels.newest,
           .places = std::move(request.places),
           .question = Slice::Own(Encode(request.question))},
          [this](const net::HostAndPort& place, const Slice& answer) { return OnAnswer(place, answer); },
          [this](const net::HostAndPort& place, const std::string& why) {
            Waits(absl::StrCat("no answer from ", place.ToString(), ": ", why));
          }) {}

bool AdmissionSeeker::OnAnswer(const net::HostAndPort& place, const Slice& answer) {
  absl::StatusOr<AdmissionAnswer> said = Decode<AdmissionAnswer>(answer);
  if (!said.ok()) {
    Waits(absl::StrCat("the node at ", place.ToString(), " is of another version"));
    return false;
  }
  if (said->admission == Admission::kWait) {
    Waits(said->why);
    return false;
  }
  admitted_(*std::move(said));
  return true;
}

void AdmissionSeeker::Waits(const std::string& why) {
  constexpr size_t kReasonsMax = 32;
  if (said_.size() >= kReasonsMax) said_.clear();
  Instant& again = said_[why];
  if (loop_.now() < again) return;
  again = loop_.now() + kNotePause;
  note_(why);
}

}  // namespace bt::nodes
