#include "net/replica_guest.h"

#include <string_view>
#include <utility>

#include "core/base/check.h"

namespace bt::net {
ReplicaGuest::ReplicaGuest(Loop& loop, ReplicaGuestOptions options, Satisfied satisfied, Failed failed)
    : loop_(loop),
      options_(std::move(options)),
      satisfied_(std::move(satisfied)),
      failed_(std::move(failed)),
      next_(loop, [this] { Attempt(); }) {
  CHECK(!options_.places.empty() && options_.question.size() <= kHelloBytesMax);
  connection_options_ = options_.connection;
  if (options_.tls != nullptr) {
    connection_options_.make_filter = [this](FilterSide, const Address&) {
      return options_.tls->Dial(in_clear_);
    };
  }
  next_.Arm(loop_.now());
}

void ReplicaGuest::Attempt() {
  if (const auto address = Address::Parse(place().ToString())) return OnFound(std::vector{*address});
  lookup_ = std::make_unique<Lookup>(loop_, place(), options_.resolve,
                                     [this](absl::StatusOr<std::vector<Address>> found) {
                                       lookup_.reset();
                                       OnFound(std::move(found));
                                     });
}

void ReplicaGuest::OnFound(absl::StatusOr<std::vector<Address>> found) {
  if (!found.ok() || found->empty()) return GiveUp(std::string(found.status().message()));
  untried_.assign(found->begin(), found->end());
  Dial();
}

void ReplicaGuest::Dial() {
  const Address address = untried_.front();
  untried_.pop_front();
  reader_ = FrameReader();
  asked_ = false;
  const ReplicaHandshake::Identity nobody{.cluster = options_.cluster,
                                          .secret = options_.secret,
                                          .self = kGuest,
                                          .oldest_level = options_.oldest_level,
                                          .newest_level = options_.newest_level};
  handshake_.emplace(nobody, ReplicaHandshake::FreshNonce(), kGuest);
  connection_ = std::make_unique<Connection>(loop_, connection_options_, counters_, address,
                                             [this](ConnectionEvent event) { OnEvent(event); });
}

void ReplicaGuest::OnEvent(ConnectionEvent event) {
  switch (event) {
    case ConnectionEvent::kUp:
      connection_->SetDeadline(loop_.now() + options_.patience);
      handshake_->Bind(connection_->binding());
      return WriteFrame(*connection_, Slice::Own(handshake_->Open()));
    case ConnectionEvent::kReadable:
      return OnReadable();
    case ConnectionEvent::kFlushed:
      return;
    case ConnectionEvent::kDown:
      return GiveUp(connection_->why());
  }
}

void ReplicaGuest::OnReadable() {
  const FrameReader::Progress progress = reader_.Receive(*connection_, kFrameBytesMax);
  const FrameReader::Next next = reader_.Pop(asked_ ? kFrameBytesMax : kHelloBytesMax);
  if (next.kind == FrameReader::Kind::kBad) return GiveUp("what it answers is of another version");
  if (next.kind == FrameReader::Kind::kFrame) return OnFrame(next.body);
  if (progress == FrameReader::Progress::kClosed) {
    GiveUp("it closes the connection: it is of another cluster, or of another version");
  }
}

void ReplicaGuest::OnFrame(const Slice& body) {
  if (asked_) {
    if (!satisfied_(place(), body)) return Rest();
    connection_.reset();
    return;
  }
  ReplicaHandshake::Step step = handshake_->Receive(body);
  if (step.outcome != ReplicaHandshake::Outcome::kDone) {
    return GiveUp(step.outcome == ReplicaHandshake::Outcome::kOtherVersion
                      ? handshake_->difference()
                      : "it cannot prove the cluster's secret");
  }
  WriteFrame(*connection_, Slice::Own(std::move(step.answer)));
  WriteFrame(*connection_, options_.question);
  asked_ = true;
}

// By value: it may be the connection's.
void ReplicaGuest::GiveUp(std::string why) {
  const bool in_clear_next = options_.tls != nullptr && connection_ != nullptr &&
                             options_.tls->InClearAfter(in_clear_, *connection_);
  if (in_clear_next) untried_.push_front(connection_->peer());  // the same one, before the others
  in_clear_ = in_clear_next;
  connection_.reset();
  if (!untried_.empty()) return Dial();
  failed_(place(), why);
  Rest();
}

// An answer is asked for at another place each time: the one that answers may hear no leader.
void ReplicaGuest::Rest() {
  connection_.reset();
  untried_.clear();
  place_ = (place_ + 1) % options_.places.size();
  next_.Arm(loop_.now() + options_.pause);
}

}  // namespace bt::net
